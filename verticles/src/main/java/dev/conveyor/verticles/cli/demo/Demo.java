package dev.conveyor.verticles.cli.demo;

import dev.conveyor.models.config.ServerConfig;
import dev.conveyor.verticles.ConveyorServer;
import dev.conveyor.verticles.supervisor.SupervisorEvents;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/**
 * Starts a server on free ports, lets it inspect images over HTTP and gRPC, measures two ways of
 * asking, and stops it.
 *
 * <p>Thread-confined: one thread runs it, and blocks while it does. Server and clients share
 * nothing but sockets: each has its own Vert.x instance.
 */
public final class Demo {

  /** A demonstration starts quickly and leaves no files behind. */
  private static final ServerConfig.Profiles WARM_UP_ONLY =
      new ServerConfig.Profiles(Duration.ofMillis(100), false);

  private static final String HOST = "127.0.0.1";
  private static final long LIMIT_SECONDS = 300;

  private final DemoPlan plan;
  private final DemoReport report;

  public Demo(DemoPlan plan, DemoReport report) {
    this.plan = plan;
    this.report = report;
  }

  /**
   * Runs the demo. The server is stopped when this returns, however it does; if it is to be kept,
   * when this thread is interrupted.
   *
   * @return true if the predictions are as good as they have to be
   * @throws DemoException if something is missing or fails
   */
  public boolean run(Vertx serverVertx, Vertx clientVertx, SupervisorEvents events)
      throws InterruptedException {
    List<DemoImage> images = DemoImage.read(plan.images(), plan.maxImages());
    List<String> labels = labels(plan.models().resolve(Inspector.CLASSIFIER));
    final long startNs = System.nanoTime();
    ConveyorServer server = new ConveyorServer(serverVertx, config(plan.models()), events);
    try {
      await(server.start());
      requireModels(server);
      report.started(server, plan.models(), System.nanoTime() - startNs);
      List<Inspector> inspectors = inspectors(server, clientVertx, labels);
      boolean accurate = inspect(images, inspectors);
      sendThroughTheLine(images, server, clientVertx, labels);
      if (plan.rounds() > 0) {
        measure(images, inspectors, clientVertx);
      }
      if (plan.keep()) {
        keepOn(images, server, clientVertx, labels);
      }
      return accurate;
    } finally {
      await(server.stop());
      report.stopped();
    }
  }

  private static ServerConfig config(Path models) {
    ServerConfig defaults = ServerConfig.DEFAULT;
    ServerConfig.Listener anyPort = new ServerConfig.Listener(HOST, 0);
    return new ServerConfig(
        models,
        anyPort,
        anyPort,
        anyPort,
        defaults.limits(),
        defaults.devices(),
        defaults.eventBus(),
        defaults.tenants(),
        WARM_UP_ONLY,
        defaults.isolation(),
        defaults.shutdownGrace(),
        defaults.logFormat());
  }

  private static void requireModels(ConveyorServer server) {
    for (String model : List.of(Inspector.CLASSIFIER, Inspector.SEGMENTER, InspectionLine.MODEL)) {
      if (server.catalog().all().stream().noneMatch(served -> served.name().equals(model))) {
        throw new DemoException("the server does not serve " + model + ", see above");
      }
    }
  }

  private static List<Inspector> inspectors(
      ConveyorServer server, Vertx vertx, List<String> labels) {
    int connections = 2 * DemoPlan.GROUPS_IN_FLIGHT;
    InferClient http = new HttpInferClient(vertx, HOST, server.httpPort(), connections);
    InferClient grpc = new GrpcInferClient(vertx, HOST, server.grpcPort());
    return List.of(new Inspector(http, labels), new Inspector(grpc, labels));
  }

  /** Sends each image once, alternately over the protocols. */
  private boolean inspect(List<DemoImage> images, List<Inspector> inspectors)
      throws InterruptedException {
    for (Inspector inspector : inspectors) {
      // So that the latencies in the table are not those of a JVM that loads classes.
      await(inspector.inParallel(images.subList(0, 1)));
    }
    List<Inspection> inspections = new ArrayList<>();
    for (DemoImage image : images) {
      Inspector inspector = turn(inspectors, inspections.size());
      long sentNs = System.nanoTime();
      Verdict verdict = await(inspector.inParallel(List.of(image))).get(0);
      inspections.add(
          new Inspection(image, verdict, System.nanoTime() - sentNs, inspector.protocol()));
    }
    long correct = inspections.stream().filter(Inspection::isCorrect).count();
    boolean accurate = correct >= DemoPlan.REQUIRED_ACCURACY * inspections.size();
    report.inspected(inspections, correct, accurate);
    return accurate;
  }

  /** Has the ensemble look at every picture in one stream, and keeps what it saw. */
  private void sendThroughTheLine(
      List<DemoImage> images, ConveyorServer server, Vertx vertx, List<String> labels)
      throws InterruptedException {
    List<LineVerdict> verdicts = play(images, server, vertx, labels);
    long correct = 0;
    for (int i = 0; i < images.size(); i++) {
      correct += verdicts.get(i).label().equals(images.get(i).truth()) ? 1 : 0;
    }
    report.annotated(verdicts, correct, plan.output());
  }

  /** Plays the pictures through the line, again and again, until this thread is interrupted. */
  @SuppressWarnings("InfiniteLoopStatement")
  private void keepOn(
      List<DemoImage> images, ConveyorServer server, Vertx vertx, List<String> labels) {
    report.kept();
    try {
      while (true) {
        List<LineVerdict> unused = play(images, server, vertx, labels);
      }
    } catch (InterruptedException e) {
      // That is how it ends.
    }
  }

  /** Draws each picture as soon as its verdict is there; returns the verdicts. */
  private List<LineVerdict> play(
      List<DemoImage> images, ConveyorServer server, Vertx vertx, List<String> labels)
      throws InterruptedException {
    InspectionLine line = new InspectionLine(vertx, HOST, server.httpPort(), labels);
    List<LineVerdict> verdicts = new ArrayList<>();
    List<Future<Void>> drawn = new ArrayList<>();
    try {
      await(
          line.inspect(
                  images,
                  plan.periodMs(),
                  (image, verdict) -> {
                    verdicts.add(verdict);
                    drawn.add(vertx.executeBlocking(() -> draw(server, image, verdict)));
                  })
              .compose(v -> Future.join(drawn)));
    } finally {
      line.close();
    }
    return verdicts;
  }

  private @Nullable Void draw(ConveyorServer server, DemoImage image, LineVerdict verdict) {
    try {
      byte[] picture = Annotator.draw(image, verdict);
      Files.createDirectories(plan.output());
      Files.write(plan.output().resolve(image.file()), picture);
      server.show(picture, Annotator.caption(image, verdict));
      return null;
    } catch (IOException e) {
      throw new DemoException("cannot write the annotated pictures: " + e);
    }
  }

  private void measure(List<DemoImage> images, List<Inspector> inspectors, Vertx vertx)
      throws InterruptedException {
    Pass.Sender oneByOne = (n, group) -> turn(inspectors, n).oneAfterTheOther(group);
    Pass.Sender batched = (n, group) -> turn(inspectors, n).inParallel(group);
    PassResult alone = measure(vertx, images, 1, 1, oneByOne);
    PassResult together =
        measure(vertx, images, DemoPlan.IMAGES_PER_REQUEST, DemoPlan.GROUPS_IN_FLIGHT, batched);
    report.measured(alone, together);
  }

  private PassResult measure(
      Vertx vertx, List<DemoImage> images, int perGroup, int inFlight, Pass.Sender sender)
      throws InterruptedException {
    PassResult unused =
        await(Pass.run(vertx, images, plan.rounds(), perGroup, inFlight, sender)); // warm-up
    return await(Pass.run(vertx, images, plan.rounds(), perGroup, inFlight, sender));
  }

  private static Inspector turn(List<Inspector> inspectors, int number) {
    return inspectors.get(number % inspectors.size());
  }

  private static List<String> labels(Path model) {
    try {
      return Files.readAllLines(model.resolve("labels.txt"));
    } catch (IOException e) {
      throw new DemoException("cannot read the labels of the classifier: " + e);
    }
  }

  private static <T> T await(Future<T> future) throws InterruptedException {
    try {
      return future.toCompletionStage().toCompletableFuture().get(LIMIT_SECONDS, TimeUnit.SECONDS);
    } catch (ExecutionException e) {
      throw e.getCause() instanceof DemoException reason
          ? reason
          : new DemoException(String.valueOf(e.getCause()));
    } catch (TimeoutException e) {
      throw new DemoException("no answer within " + LIMIT_SECONDS + " s");
    }
  }
}
