package dev.conveyor.verticles.bench;

import dev.conveyor.verticles.bench.load.LoadPattern;
import dev.conveyor.verticles.bench.load.Payloads;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/**
 * What can be said on the command line about load. Not thread-safe: filled once by the parser, then
 * only read.
 */
final class BenchOptions {

  @Option(
      names = "--model",
      split = ",",
      paramLabel = "NAME",
      description = "Models, all under load at the same time.")
  List<String> models = new ArrayList<>();

  @Option(
      names = "--protocol",
      defaultValue = "http",
      description =
          "http, grpc, http-shm (http, with the inputs in system shared memory of this machine) or"
              + " bus (in this JVM). Default: ${DEFAULT-VALUE}.")
  String protocol = "http";

  @Option(
      names = "--host",
      defaultValue = "127.0.0.1",
      description = "Host of the server. Default: ${DEFAULT-VALUE}.")
  String host = "127.0.0.1";

  @Option(names = "--port", description = "Port of the server. Default: the protocol's.")
  int port;

  @Option(
      names = "--concurrency",
      split = ",",
      paramLabel = "N",
      description =
          "Closed loop: requests in flight per model, or threads of --direct; several make a"
              + " sweep. Default: 1,2,4,8; for --direct, 1 and every core.")
  List<Integer> concurrency = new ArrayList<>();

  @Option(
      names = "--rate",
      split = ",",
      paramLabel = "R",
      description =
          "Open loop instead: requests per second per model, Poisson arrivals, latency from the"
              + " time a request was due; several make a sweep.")
  List<Double> rates = new ArrayList<>();

  @Option(
      names = "--input",
      paramLabel = "NAME:TYPE:DIMS",
      description =
          "An input of synthetic data, for example INPUT0:FP32:-1x16; repeat for more. Default:"
              + " as the server's metadata says.")
  List<String> inputs = new ArrayList<>();

  @Option(
      names = "--images",
      paramLabel = "DIR",
      description = "Send the JPEG and PNG files of a directory as BYTES.")
  @Nullable Path images;

  @Option(
      names = "--batch",
      defaultValue = "1",
      description = "Items per request. Default: ${DEFAULT-VALUE}.")
  int batch = 1;

  @Option(
      names = "--fill",
      defaultValue = "RANDOM",
      description = "Synthetic data: ${COMPLETION-CANDIDATES}. Default: ${DEFAULT-VALUE}.")
  Payloads.Fill fill = Payloads.Fill.RANDOM;

  @Option(
      names = "--output",
      split = ",",
      paramLabel = "NAME",
      description = "Outputs to ask for. Default: all.")
  List<String> outputs = new ArrayList<>();

  @Option(
      names = "--warmup",
      defaultValue = "3",
      paramLabel = "SECONDS",
      description = "Load before each measured window. Default: ${DEFAULT-VALUE}.")
  double warmupSeconds = 3;

  @Option(
      names = "--duration",
      defaultValue = "5",
      paramLabel = "SECONDS",
      description = "Length of each measured window. Default: ${DEFAULT-VALUE}.")
  double durationSeconds = 5;

  @Option(
      names = "--connections",
      defaultValue = "256",
      description = "Most HTTP connections. Default: ${DEFAULT-VALUE}.")
  int connections = 256;

  @Option(
      names = "--timeout",
      defaultValue = "30",
      paramLabel = "SECONDS",
      description = "How long to wait for an answer over HTTP. Default: ${DEFAULT-VALUE}.")
  double timeoutSeconds = 30;

  @Option(
      names = "--seed",
      defaultValue = "1",
      description = "Of the arrival times. Default: ${DEFAULT-VALUE}.")
  long seed = 1;

  @Option(
      names = "--server-pid",
      description =
          "Process whose CPU time is reported. Default: whoever listens on the port, if it is on"
              + " this machine.")
  long serverPid;

  @Option(
      names = "--server-config",
      paramLabel = "FILE",
      description = "Configuration of the server that --protocol bus starts in this JVM.")
  @Nullable Path serverConfig;

  Duration warmup() {
    return seconds("--warmup", warmupSeconds);
  }

  Duration duration() {
    return seconds("--duration", durationSeconds);
  }

  Duration timeout() {
    return seconds("--timeout", timeoutSeconds);
  }

  /** Returns the points of the sweep against a server, in the order given. */
  List<LoadPattern> patterns() {
    if (!rates.isEmpty() && !concurrency.isEmpty()) {
      throw new IllegalArgumentException("--concurrency and --rate exclude each other");
    }
    List<LoadPattern> patterns = new ArrayList<>();
    rates.forEach(rate -> patterns.add(new LoadPattern.Open(rate)));
    if (patterns.isEmpty()) {
      List<Integer> sweep = concurrency.isEmpty() ? List.of(1, 2, 4, 8) : concurrency;
      sweep.forEach(n -> patterns.add(new LoadPattern.Closed(n)));
    }
    return patterns;
  }

  /** Returns the points of a sweep without a server. */
  List<LoadPattern.Direct> threads() {
    if (!rates.isEmpty()) {
      throw new IllegalArgumentException("--direct runs back to back: it has no --rate");
    }
    int cores = Runtime.getRuntime().availableProcessors();
    List<Integer> sweep = concurrency.isEmpty() ? List.of(1, cores) : concurrency;
    return sweep.stream().distinct().map(LoadPattern.Direct::new).toList();
  }

  private static Duration seconds(String option, double seconds) {
    if (!(seconds >= 0) || seconds > 86_400) {
      throw new IllegalArgumentException(option + " is 0 to 86400 seconds, was " + seconds);
    }
    return Duration.ofNanos((long) (seconds * 1e9));
  }
}
