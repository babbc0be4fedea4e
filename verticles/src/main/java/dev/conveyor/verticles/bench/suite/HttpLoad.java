package dev.conveyor.verticles.bench.suite;

import dev.conveyor.verticles.bench.host.ProcFs;
import dev.conveyor.verticles.bench.load.CpuClock;
import dev.conveyor.verticles.bench.load.HttpPayload;
import dev.conveyor.verticles.bench.load.InferPayload;
import dev.conveyor.verticles.bench.load.Lane;
import dev.conveyor.verticles.bench.load.LaneResult;
import dev.conveyor.verticles.bench.load.LoadDriver;
import dev.conveyor.verticles.bench.load.LoadPattern;
import dev.conveyor.verticles.bench.load.LoadPlan;
import dev.conveyor.verticles.bench.load.LoadPoint;
import dev.conveyor.verticles.bench.load.LoadProtocols;
import dev.conveyor.verticles.bench.load.LoadTarget;
import dev.conveyor.verticles.bench.load.Payloads;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalDouble;
import java.util.concurrent.TimeoutException;

/**
 * Puts models of one server under load over HTTP with binary tensors: with wrk where it is
 * installed, else with the client of this program.
 *
 * <p>Not thread-safe: owned by the row that measures. Blocks.
 */
final class HttpLoad implements AutoCloseable {

  private static final int CONNECTIONS = 64;
  private static final Duration TIMEOUT = Duration.ofSeconds(30);
  private static final Duration SLACK = Duration.ofMinutes(1);

  private final Lab lab;
  private final ServerProcess server;
  private final LoadDriver driver;
  private final boolean wrk = Wrk.isInstalled();

  private HttpLoad(Lab lab, ServerProcess server, LoadDriver driver) {
    this.lab = lab;
    this.server = server;
    this.driver = driver;
  }

  static HttpLoad on(Lab lab, ServerProcess server) throws TimeoutException {
    return on(lab, server, Transport.HTTP);
  }

  static HttpLoad on(Lab lab, ServerProcess server, Transport transport) throws TimeoutException {
    LoadTarget target = new LoadTarget("127.0.0.1", server.httpPort(), CONNECTIONS, TIMEOUT, null);
    return new HttpLoad(
        lab, server, LoadDriver.connect(LoadProtocols.find(transport.protocol), target));
  }

  /** How inputs get to the server with the client of this program; wrk always sends them. */
  enum Transport {
    HTTP("http", "", "tensors travel as FP32 over HTTP"),
    SHARED_MEMORY(
        "http-shm",
        ", inputs in system shared memory",
        "inputs are FP32 in system shared memory, answers travel over HTTP");

    private final String protocol;

    /** What the name of a row says of it. */
    final String suffix;

    /** What the text of a row says of it. */
    final String words;

    Transport(String protocol, String suffix, String words) {
      this.protocol = protocol;
      this.suffix = suffix;
      this.words = words;
    }
  }

  /**
   * What a client saw of one model.
   *
   * @param requests answered without an error
   */
  record Figures(long requests, double seconds, double p50Micros, long errors) {

    double perSecond() {
      return requests / seconds;
    }
  }

  /**
   * One window.
   *
   * @param models figures per model, in the order asked for
   * @param cpuSeconds CPU time of the server in the window
   */
  record Window(List<Figures> models, double cpuSeconds) {

    double requestsPerCpuSecond() {
      return models.stream().mapToLong(Figures::requests).sum() / cpuSeconds;
    }
  }

  /** Says which client sends. */
  String client() {
    return wrk ? "wrk -t1" : "own client, since wrk is not installed: it takes more CPU";
  }

  LoadDriver driver() {
    return driver;
  }

  /** Asks the server for the model's inputs and makes one request of a single item. */
  InferPayload payload(String model) throws TimeoutException {
    return payload(model, 1);
  }

  InferPayload payload(String model, int batch) throws TimeoutException {
    return Payloads.synthetic(model, driver.inputs(model), List.of(), batch, Payloads.Fill.RANDOM)
        .get(0);
  }

  /** Warms up, then measures; all models at the same time, each at this concurrency. */
  Window measure(List<String> models, int concurrency)
      throws IOException, InterruptedException, TimeoutException {
    return measure(models, concurrency, lab.warmup(), lab.duration());
  }

  Window measure(List<String> models, int concurrency, Duration warmup, Duration duration)
      throws IOException, InterruptedException, TimeoutException {
    Window window =
        wrk
            ? withWrk(models, concurrency, warmup, duration)
            : withOwnClient(models, concurrency, warmup, duration);
    long errors = window.models().stream().mapToLong(Figures::errors).sum();
    if (errors > 0) {
      throw new CannotMeasureException("%d requests to %s failed".formatted(errors, models));
    }
    return window;
  }

  /** Puts a model under load until the server's JIT compiler is quiet. */
  Settling settle(String model, int concurrency) throws Exception {
    return Settling.await(
        length -> measure(List.of(model), concurrency, Duration.ZERO, length),
        server.compiler(),
        lab.warmup());
  }

  @Override
  public void close() {
    driver.close();
  }

  private Window withWrk(List<String> models, int concurrency, Duration warmup, Duration duration)
      throws IOException, InterruptedException, TimeoutException {
    List<Path> scripts = new ArrayList<>();
    for (String model : models) {
      scripts.add(Wrk.writeScript(HttpPayload.of(payload(model)), lab.scratch()));
    }
    if (!warmup.isZero()) {
      runWrk(models, scripts, concurrency, warmup);
    }
    OptionalDouble before = server.cpu().seconds();
    List<Figures> figures = runWrk(models, scripts, concurrency, duration);
    return new Window(figures, required(CpuClock.between(before, server.cpu().seconds())));
  }

  private List<Figures> runWrk(
      List<String> models, List<Path> scripts, int concurrency, Duration duration)
      throws IOException, InterruptedException {
    List<List<String>> commands = new ArrayList<>();
    List<Path> outputs = new ArrayList<>();
    List<Process> processes = new ArrayList<>();
    for (int i = 0; i < models.size(); i++) {
      String url = "http://127.0.0.1:" + server.httpPort() + HttpPayload.uri(models.get(i));
      commands.add(lab.pinned(Wrk.command(concurrency, duration, scripts.get(i), url)));
      outputs.add(Files.createTempFile(lab.scratch(), "wrk", ".out"));
      processes.add(Programs.start(commands.get(i), outputs.get(i)));
    }
    List<Figures> figures = new ArrayList<>();
    for (int i = 0; i < models.size(); i++) {
      figures.add(
          Wrk.parse(
              Programs.finish(
                  processes.get(i), commands.get(i), outputs.get(i), duration.plus(SLACK))));
    }
    return figures;
  }

  private Window withOwnClient(
      List<String> models, int concurrency, Duration warmup, Duration duration)
      throws TimeoutException {
    List<Lane> lanes = new ArrayList<>();
    for (String model : models) {
      lanes.add(driver.lane(model, List.of(payload(model))));
    }
    LoadPoint point =
        driver.run(
            lanes,
            new LoadPlan(
                new LoadPattern.Closed(concurrency),
                warmup,
                duration,
                server.cpu(),
                ProcFs.ownCpu(),
                1));
    List<Figures> figures = new ArrayList<>();
    for (LaneResult lane : point.lanes()) {
      figures.add(
          new Figures(
              lane.answered(),
              point.windowNs() / 1e9,
              lane.latencyNs().getValueAtPercentile(50) / 1e3,
              lane.failures()));
    }
    return new Window(figures, required(point.serverCpuSeconds()));
  }

  static double required(OptionalDouble cpuSeconds) {
    return cpuSeconds.orElseThrow(
        () -> new CannotMeasureException("the CPU time of the server cannot be read from /proc"));
  }
}
