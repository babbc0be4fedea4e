package dev.conveyor.verticles.feed;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.models.DataType;
import dev.conveyor.verticles.feed.FeedPlan.Protocol;
import dev.conveyor.verticles.metrics.ModelStats.FrameEvent;
import dev.conveyor.verticles.server.Gate;
import dev.conveyor.verticles.server.TestModels;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.Future;
import io.vertx.core.json.JsonObject;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Cameras over real sockets, on both protocols. */
class FeedTest {

  @TempDir private static Path directory;

  private static TestServer server;
  private static List<byte[]> frames;

  @BeforeAll
  static void start() throws IOException {
    TestModels models =
        new TestModels(directory.resolve("models"))
            .pixels("pixels")
            .identity("held", DataType.FP32, "batch", 3, 2, 2)
            .config(
                "held",
                """
                {"name": "held", "max_batch_size": 8,
                 "parameters": {"test_gate": {"string_value": "held"}},
                 "conveyor": {"intra_op_threads": 1,
                   "preprocessing": [{"input": "INPUT0", "height": 2, "width": 2}]}}
                """);
    server =
        TestServer.start(
            models,
            new JsonObject()
                .put("profiles", new JsonObject().put("warmup_ms", 0).put("stored", false)));
    Path pictures = Files.createDirectory(directory.resolve("pictures"));
    Files.write(pictures.resolve("1.jpg"), jpeg(64, 0x404040));
    Files.write(pictures.resolve("2.jpg"), jpeg(48, 0xC0C0C0));
    Files.writeString(pictures.resolve("notes.txt"), "no picture");
    frames = FramesFile.read(pictures);
  }

  @AfterAll
  static void stop() {
    server.close();
  }

  @Test
  void shouldAccountForEveryFrameOfEveryStreamUnderEveryPolicy() {
    for (Protocol protocol : Protocol.values()) {
      for (String policy : new String[] {"block", "drop", "latest"}) {
        Map<FrameEvent, Long> before = counts("pixels");

        FeedResult result = play(plan(protocol, "pixels", policy));

        assertThat(result.firstFailure()).as("%s %s", protocol, policy).isNull();
        assertThat(result.addsUp()).as("%s %s: %s", protocol, policy, result).isTrue();
        assertThat(result.sent() + result.skipped()).as("3 streams x 40 frames").isEqualTo(120);
        assertThat(result.answered()).isPositive();
        assertThat(increase("pixels", before, FrameEvent.RECEIVED)).isEqualTo(result.sent());
        assertThat(increase("pixels", before, FrameEvent.ANSWERED)).isEqualTo(result.answered());
        assertThat(increase("pixels", before, FrameEvent.DROPPED)).isEqualTo(result.dropped());
        if (policy.equals("block")) {
          assertThat(result.dropped()).isZero();
        }
      }
    }
    server.assertIdle();
  }

  @Test
  void shouldCountTheFramesThatABusyModelDrops() {
    for (Protocol protocol : Protocol.values()) {
      for (String policy : new String[] {"drop", "latest"}) {
        Map<FrameEvent, Long> before = counts("held");
        Future<FeedResult> playing;
        try (Gate gate = Gate.shut("held")) {
          playing =
              Feed.play(server.vertx(), plan(protocol, "held", policy, Duration.ofSeconds(1)));
          // Two frames of each stream are under way, for `latest` one waits.
          awaitDropped(before, 3);
        }
        FeedResult result = TestServer.await(playing);

        assertThat(result.addsUp()).as("%s %s: %s", protocol, policy, result).isTrue();
        assertThat(result.dropped()).isGreaterThanOrEqualTo(3);
        assertThat(result.answered()).as("what was under way").isGreaterThanOrEqualTo(6);
        assertThat(increase("held", before, FrameEvent.DROPPED)).isEqualTo(result.dropped());
        assertThat(increase("held", before, FrameEvent.ANSWERED)).isEqualTo(result.answered());
      }
    }
    server.assertIdle();
  }

  private static void awaitDropped(Map<FrameEvent, Long> before, int frames) {
    server.awaitScheduler(now -> increase("held", before, FrameEvent.DROPPED) >= frames);
  }

  @Test
  void shouldSayWhyAStreamCannotBeOpened() {
    assertThatThrownBy(() -> play(plan(Protocol.HTTP, "nobody", "latest")))
        .hasMessageContaining("HTTP 404")
        .hasMessageContaining("unknown model");
    assertThatThrownBy(() -> play(plan(Protocol.HTTP, "pixels", "newest")))
        .hasMessageContaining("must be block, drop or latest");
    assertThatThrownBy(() -> play(plan(Protocol.GRPC, "nobody", "latest")))
        .isInstanceOf(AssertionError.class);
  }

  @Test
  void shouldReadAFileOfMotionJpeg() throws IOException {
    Path file = directory.resolve("film.mjpeg");
    ByteArrayOutputStream film = new ByteArrayOutputStream();
    frames.forEach(film::writeBytes);
    Files.write(file, film.toByteArray());
    assertThat(FramesFile.read(file)).containsExactlyElementsOf(frames);

    film.write(frames.get(0), 0, 100);
    Files.write(file, film.toByteArray());
    assertThatThrownBy(() -> FramesFile.read(file))
        .isInstanceOf(FeedException.class)
        .hasMessageContaining("frame 2")
        .hasMessageContaining("ended in the middle of a frame");
  }

  @Test
  void shouldRefuseADirectoryWithoutPictures() throws IOException {
    Path empty = Files.createDirectory(directory.resolve("empty"));
    assertThatThrownBy(() -> FramesFile.read(empty))
        .isInstanceOf(FeedException.class)
        .hasMessageContaining("found no picture");
  }

  private static FeedPlan plan(Protocol protocol, String model, String policy) {
    return plan(protocol, model, policy, Duration.ofMillis(400));
  }

  private static FeedPlan plan(Protocol protocol, String model, String policy, Duration duration) {
    int port = protocol == Protocol.HTTP ? server.httpPort() : server.server().grpcPort();
    return new FeedPlan(
        new FeedPlan.Target(protocol, "127.0.0.1", port, model),
        frames,
        3,
        100,
        duration,
        policy,
        0,
        List.of("OUTPUT0"));
  }

  private static FeedResult play(FeedPlan plan) {
    return TestServer.await(Feed.play(server.vertx(), plan));
  }

  private static Map<FrameEvent, Long> counts(String model) {
    return server.server().catalog().find(model, "").stats().frames();
  }

  private static long increase(String model, Map<FrameEvent, Long> before, FrameEvent event) {
    return counts(model).getOrDefault(event, 0L) - before.getOrDefault(event, 0L);
  }

  private static byte[] jpeg(int size, int rgb) throws IOException {
    BufferedImage image = new BufferedImage(size, size, BufferedImage.TYPE_INT_RGB);
    for (int i = 0; i < size * size; i++) {
      image.setRGB(i % size, i / size, rgb);
    }
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ImageIO.write(image, "jpg", out);
    return out.toByteArray();
  }
}
