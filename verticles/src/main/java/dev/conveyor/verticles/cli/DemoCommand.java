package dev.conveyor.verticles.cli;

import dev.conveyor.verticles.Machine;
import dev.conveyor.verticles.cli.demo.Demo;
import dev.conveyor.verticles.cli.demo.DemoException;
import dev.conveyor.verticles.cli.demo.DemoPlan;
import dev.conveyor.verticles.cli.demo.DemoReport;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/**
 * The command {@code demo}. Not thread-safe: one object, one run.
 *
 * <p>Exit codes: 0 if the predictions are as accurate as they have to be; 1 if not, or if the demo
 * cannot be run.
 */
@Command(
    name = "demo",
    mixinStandardHelpOptions = true,
    description = {
      "Finds defects in pictures of metal surfaces: starts a server on free ports, sends it images"
          + " over HTTP and gRPC, prints what its two models say about them, and compares asking"
          + " one at a time with asking in batches."
    })
final class DemoCommand implements Callable<Integer> {

  @Spec private @Nullable CommandSpec spec;

  @Option(
      names = "--images",
      paramLabel = "N",
      defaultValue = "40",
      description = "Send at most so many images. Default: ${DEFAULT-VALUE}.")
  private int images = 40;

  @Option(
      names = "--rounds",
      paramLabel = "N",
      defaultValue = "8",
      description = "Send every image so often in each measurement. Default: ${DEFAULT-VALUE}.")
  private int rounds = 8;

  @Option(
      names = "--output",
      paramLabel = "DIR",
      defaultValue = "${sys:java.io.tmpdir}/conveyor-demo",
      description = "Directory for the annotated pictures. Default: ${DEFAULT-VALUE}.")
  private Path output = Path.of("");

  @Option(
      names = "--fps",
      paramLabel = "RATE",
      defaultValue = "10",
      description =
          "Pictures per second that go through the inspection line. Default: ${DEFAULT-VALUE}.")
  private double framesPerSecond = 10;

  @Option(
      names = "--keep",
      description = "Go on serving, and inspecting the pictures in a loop, until interrupted.")
  private boolean keep;

  @Option(
      names = "--home",
      paramLabel = "DIR",
      defaultValue = Home.DEFAULT,
      description = "Directory that holds conf/models and conf/demo. Default: ${DEFAULT-VALUE}.")
  private Path home = Path.of("");

  @Override
  public Integer call() throws Exception {
    PrintWriter out = Objects.requireNonNull(spec).commandLine().getOut();
    PrintWriter err = spec.commandLine().getErr();
    Vertx server = Vertx.vertx(new VertxOptions().setEventLoopPoolSize(Machine.eventLoops()));
    Vertx client = Vertx.vertx(new VertxOptions().setEventLoopPoolSize(1));
    try {
      Demo demo =
          new Demo(
              new DemoPlan(home, images, rounds, output, framesPerSecond, keep),
              new DemoReport(out));
      return demo.run(server, client, new LoadFailures(err)) ? 0 : 1;
    } catch (DemoException | IllegalArgumentException e) {
      err.println("conveyor: the demo failed: " + e.getMessage());
      return 1;
    } finally {
      close(client);
      close(server);
    }
  }

  private static void close(Vertx vertx) throws Exception {
    vertx.close().toCompletionStage().toCompletableFuture().get(10, TimeUnit.SECONDS);
  }
}
