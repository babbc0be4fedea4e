package dev.conveyor.verticles.cli;

import dev.conveyor.verticles.feed.Feed;
import dev.conveyor.verticles.feed.FeedException;
import dev.conveyor.verticles.feed.FeedPlan;
import dev.conveyor.verticles.feed.FeedPlan.Protocol;
import dev.conveyor.verticles.feed.FeedResult;
import dev.conveyor.verticles.feed.FramesFile;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/**
 * The command {@code feed}. Not thread-safe: one object, one run.
 *
 * <p>Exit codes: 0 if every frame has one outcome and answers kept their order; 1 if not, or if the
 * feed cannot be played.
 */
@Command(
    name = "feed",
    mixinStandardHelpOptions = true,
    description = {
      "Plays pictures to a server as cameras do: at a frame rate, in several streams, and counts"
          + " what became of every frame."
    })
final class FeedCommand implements Callable<Integer> {

  @Spec private @Nullable CommandSpec spec;

  @Option(
      names = "--source",
      paramLabel = "PATH",
      defaultValue = Home.DEFAULT + "/conf/demo/images",
      description = "Directory of JPEGs and PNGs, or file of Motion JPEG. Default: the demo's.")
  private Path source = Path.of("");

  @Option(
      names = "--model",
      defaultValue = "inspection",
      description = "Model or ensemble with one input of images. Default: ${DEFAULT-VALUE}.")
  private String model = "";

  @Option(
      names = "--protocol",
      defaultValue = "http",
      description = "${COMPLETION-CANDIDATES}. Default: ${DEFAULT-VALUE}.")
  private Protocol protocol = Protocol.HTTP;

  @Option(names = "--host", defaultValue = "127.0.0.1", description = "Default: ${DEFAULT-VALUE}.")
  private String host = "";

  @Option(names = "--port", description = "Default: 8000, or 8001 for gRPC.")
  private int port;

  @Option(names = "--streams", paramLabel = "N", defaultValue = "1", description = "Cameras.")
  private int streams = 1;

  @Option(
      names = "--fps",
      paramLabel = "RATE",
      defaultValue = "25",
      description = "Frames per second of each. Default: ${DEFAULT-VALUE}.")
  private double framesPerSecond = 25;

  @Option(
      names = "--seconds",
      defaultValue = "10",
      description = "How long. Default: ${DEFAULT-VALUE}.")
  private double seconds = 10;

  @Option(names = "--policy", description = "block, drop or latest. Default: the server's.")
  private @Nullable String policy;

  @Option(
      names = "--in-flight",
      paramLabel = "N",
      description = "Frames of a stream under way at a time. Default: the server's.")
  private int inFlight;

  @Option(names = "--outputs", split = ",", description = "Outputs to ask for. Default: all.")
  private List<String> outputs = List.of();

  @Override
  public Integer call() throws Exception {
    CommandSpec command = Objects.requireNonNull(spec);
    PrintWriter out = command.commandLine().getOut();
    Vertx vertx = Vertx.vertx(new VertxOptions().setEventLoopPoolSize(1));
    try {
      FeedPlan plan = plan();
      FeedResult result = Feed.play(vertx, plan).toCompletionStage().toCompletableFuture().get();
      print(plan, result, out);
      return result.addsUp() ? 0 : 1;
    } catch (ExecutionException | FeedException | IllegalArgumentException e) {
      Throwable why = e instanceof ExecutionException && e.getCause() != null ? e.getCause() : e;
      command.commandLine().getErr().println("conveyor: cannot play: " + why.getMessage());
      return 1;
    } finally {
      vertx.close().toCompletionStage().toCompletableFuture().get(10, TimeUnit.SECONDS);
    }
  }

  private FeedPlan plan() throws Exception {
    int usual = protocol == Protocol.HTTP ? 8000 : 8001;
    return new FeedPlan(
        new FeedPlan.Target(protocol, host, port == 0 ? usual : port, model),
        FramesFile.read(source),
        streams,
        framesPerSecond,
        Duration.ofNanos(Math.round(seconds * 1e9)),
        policy,
        inFlight,
        outputs);
  }

  private static void print(FeedPlan plan, FeedResult result, PrintWriter out) {
    out.printf(
        Locale.ROOT,
        "%d streams of %s frames/s over %s to %s, policy %s, %.1f s%n",
        plan.streams(),
        plan.framesPerSecond(),
        plan.target().protocol() == Protocol.HTTP ? "HTTP" : "gRPC",
        plan.target().model(),
        plan.policy() == null ? "as the server has it" : plan.policy(),
        result.seconds());
    out.printf(
        Locale.ROOT,
        "sent       %,d = %,d answered + %,d dropped + %,d failed + %,d unanswered%n",
        result.sent(),
        result.answered(),
        result.dropped(),
        result.failed(),
        result.unanswered());
    out.printf(
        Locale.ROOT,
        "not sent   %,d, because the server did not take what was sent before%n",
        result.skipped());
    out.printf(
        Locale.ROOT,
        "order      %,d answers came after that of a later frame, %,d belong to no frame%n",
        result.orderViolations(),
        result.strays());
    out.printf(
        Locale.ROOT,
        "answered   %,.1f/s; from when a frame was due: p50 %.1f ms, p99 %.1f ms, max %.1f ms%n",
        result.answered() / result.seconds(),
        result.latencyMs(50),
        result.latencyMs(99),
        result.latencyMs(100));
    if (result.firstFailure() != null) {
      out.println("first      " + result.firstFailure());
    }
    out.flush();
  }
}
