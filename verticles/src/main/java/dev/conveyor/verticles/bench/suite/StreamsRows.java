package dev.conveyor.verticles.bench.suite;

import dev.conveyor.verticles.feed.Feed;
import dev.conveyor.verticles.feed.FeedPlan;
import dev.conveyor.verticles.feed.FeedResult;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.jspecify.annotations.Nullable;

/**
 * Cameras that send more than the server can look at. One run gives all rows: server and cameras
 * share the cores.
 *
 * <p>Not thread-safe: owned by the suite.
 */
final class StreamsRows {

  private static final int STREAMS = 16;
  private static final double FRAMES_PER_SECOND = 25;
  private static final int WIDTH = 1280;
  private static final int HEIGHT = 720;
  private static final double OBJECTIVE_MS = 500;

  /** Together they keep the cores busy; more would only wait in line, and be answered late. */
  private static final int IN_FLIGHT = 1;

  private static final String NAME = "16 streams of 25 frames/s of 720p, latest: ";

  private final Lab lab;
  private @Nullable Run run;

  StreamsRows(Lab lab) {
    this.lab = lab;
  }

  /** What both sides counted. */
  private record Run(FeedResult feed, long received, long answered, long failed, long dropped) {

    /** Returns the frames on which the two sides, or the sums of either, do not agree. */
    long miscounted() {
      return Math.abs(feed.sent() - received)
          + Math.abs(feed.answered() - answered)
          + Math.abs(feed.failed() - failed)
          + Math.abs(feed.dropped() - dropped)
          + Math.abs(received - answered - failed - dropped)
          + feed.unanswered()
          + feed.strays();
    }

    String how() {
      return String.format(
          Locale.ROOT,
          "ultraface behind decode, with NMS and boxes in source pixels, over HTTP, one frame of each"
              + " stream under way; client on the same cores; %,d frames due, %,d sent = %,d answered (%.1f/s) + %,d dropped + %,d"
              + " failed + %,d unanswered; from when it was due p50 %.1f ms, p99 %.1f ms",
          feed.sent() + feed.skipped(),
          feed.sent(),
          feed.answered(),
          feed.answered() / feed.seconds(),
          feed.dropped(),
          feed.failed(),
          feed.unanswered(),
          feed.latencyMs(50),
          feed.latencyMs(99));
    }
  }

  List<SuiteRow> rows() {
    return List.of(
        new SuiteRow(
            NAME + "frames that server and cameras count differently",
            Target.atMost(0, ""),
            () -> new Measured(run().miscounted(), run().how())),
        new SuiteRow(
            NAME + "order violations",
            Target.atMost(0, ""),
            () -> new Measured(run().feed().orderViolations(), run().how())),
        new SuiteRow(
            NAME + "p99 of answered frames, end to end",
            Target.atMost(OBJECTIVE_MS, "ms"),
            () -> new Measured(run().feed().latencyMs(99), run().how())));
  }

  private Run run() throws Exception {
    if (run == null) {
      run = measure();
    }
    return run;
  }

  private Run measure() throws Exception {
    List<byte[]> frames = frames(lab);
    TestRepository repository = lab.repository();
    repository.add(
        "ultraface",
        lab.modelFile("ultraface_rfb_320.onnx"),
        PipelineConfigs.images(TestRepository.config(0, lab.cores(), 1), "input", 320, 240));
    repository.addConfig("faces", PipelineConfigs.faces("ultraface"));
    Vertx vertx = Vertx.vertx(new VertxOptions().setEventLoopPoolSize(1));
    try (ServerProcess server = lab.startServer(repository, List.of())) {
      FeedPlan plan =
          new FeedPlan(
              new FeedPlan.Target(FeedPlan.Protocol.HTTP, "127.0.0.1", server.httpPort(), "faces"),
              frames,
              STREAMS,
              FRAMES_PER_SECOND,
              lab.warmup(),
              "latest",
              IN_FLIGHT,
              List.of("count", "faces"));
      FeedResult unused = play(vertx, plan);
      String before = server.metrics();
      FeedResult feed = play(vertx, plan.lasting(lab.duration()));
      String after = server.metrics();
      if (feed.answered() == 0) {
        throw new CannotMeasureException("no frame was answered: " + feed.firstFailure());
      }
      return new Run(
          feed,
          increase(before, after, "conveyor_stream_frames_received_total", ""),
          increase(before, after, "conveyor_stream_frames_total", "answered"),
          increase(before, after, "conveyor_stream_frames_total", "failed"),
          increase(before, after, "conveyor_stream_frames_total", "dropped"));
    } finally {
      vertx.close().toCompletionStage().toCompletableFuture().get(10, TimeUnit.SECONDS);
    }
  }

  private static FeedResult play(Vertx vertx, FeedPlan plan) throws Exception {
    return Feed.play(vertx, plan).toCompletionStage().toCompletableFuture().get();
  }

  private static long increase(String before, String after, String name, String outcome) {
    return counter(after, name, outcome) - counter(before, name, outcome);
  }

  private static long counter(String metrics, String name, String outcome) {
    String labels = outcome.isEmpty() ? "" : ",outcome=\"" + outcome + "\"";
    Matcher line =
        Pattern.compile(name + "\\{model=\"faces\",version=\"1\"" + labels + "} (\\S+)")
            .matcher(metrics);
    if (!line.find()) {
      throw new CannotMeasureException("the metrics have no " + name + labels + " of faces");
    }
    return Math.round(Double.parseDouble(line.group(1)));
  }

  /** Returns the photos of the test data as 720p JPEGs. */
  static List<byte[]> frames(Lab lab) throws IOException {
    Path photos = lab.modelFile("ultraface_rfb_320.onnx").resolveSibling("../images").normalize();
    List<Path> files;
    try (Stream<Path> all = Files.list(photos)) {
      files = all.filter(file -> file.toString().endsWith(".jpg")).sorted().toList();
    }
    List<byte[]> frames = new ArrayList<>();
    for (Path file : files) {
      BufferedImage photo = ImageIO.read(file.toFile());
      BufferedImage frame = new BufferedImage(WIDTH, HEIGHT, BufferedImage.TYPE_INT_RGB);
      Graphics2D graphics = frame.createGraphics();
      graphics.setRenderingHint(
          RenderingHints.KEY_INTERPOLATION, RenderingHints.VALUE_INTERPOLATION_BILINEAR);
      graphics.drawImage(photo, 0, 0, WIDTH, HEIGHT, null);
      graphics.dispose();
      ByteArrayOutputStream out = new ByteArrayOutputStream();
      ImageIO.write(frame, "jpg", out);
      frames.add(out.toByteArray());
    }
    if (frames.isEmpty()) {
      throw new CannotMeasureException("no photo in " + photos);
    }
    return frames;
  }
}
