package dev.conveyor.verticles.bench.suite;

import dev.conveyor.verticles.bench.host.ProcFs;
import dev.conveyor.verticles.bench.load.HttpPayload;
import io.vertx.core.json.JsonObject;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.OptionalDouble;

/**
 * What running each instance in a process of its own costs, and how soon one that was killed is
 * back.
 *
 * <p>Not thread-safe: owned by the suite. The rows share one server, in which every model is there
 * twice: with isolation and without.
 */
final class IsolationRows implements AutoCloseable {

  private static final String IDENTITY = "identity";
  private static final String SQUEEZENET = "squeezenet";
  private static final String ISOLATED = "_process";
  private static final int CONCURRENCY = 8;

  /** A second one within a minute would have to wait, as those that crash again and again do. */
  private static final int KILLS = 1;

  private static final Duration BACK_LIMIT = Duration.ofSeconds(30);

  private final Lab lab;
  private final SuiteServer server = new SuiteServer(this::start);

  IsolationRows(Lab lab) {
    this.lab = lab;
  }

  List<SuiteRow> rows() {
    return List.of(
        new SuiteRow(
            "isolation \"process\", squeezenet over HTTP, concurrency 8: throughput / in-process",
            Target.atLeast(0.97, ""),
            this::throughput),
        new SuiteRow(
            "isolation \"process\", identity over HTTP, concurrency 1: added p50 latency",
            Target.atMost(60, "µs"),
            this::latency),
        new SuiteRow(
            "isolation \"process\", SIGKILL of the only worker: identity serves again after",
            Target.atMost(2_500, "ms"),
            this::recovery));
  }

  @Override
  public void close() {
    server.close();
  }

  private Measured throughput() throws Exception {
    ServerProcess running = server.get();
    try (HttpLoad load = HttpLoad.on(lab, running)) {
      Window before = window(load, running, SQUEEZENET);
      Window isolated = window(load, running, SQUEEZENET + ISOLATED);
      Window between = window(load, running, SQUEEZENET);
      Window again = window(load, running, SQUEEZENET + ISOLATED);
      Window after = window(load, running, SQUEEZENET);
      double inProcess = (before.perSecond() + 2 * between.perSecond() + after.perSecond()) / 4;
      double process = (isolated.perSecond() + again.perSecond()) / 2;
      return new Measured(
          process / inProcess,
          String.format(
              Locale.ROOT,
              "%s -c%d, %d instances x 1 thread, FP32 [1,3,224,224]; in turns, in-process:"
                  + " %.1f, %.1f, %.1f inf/s, %.3f CPU ms each; process: %.1f, %.1f inf/s, %.3f CPU"
                  + " ms each, workers included",
              load.client(),
              CONCURRENCY,
              lab.cores(),
              before.perSecond(),
              between.perSecond(),
              after.perSecond(),
              between.cpuMs(),
              isolated.perSecond(),
              again.perSecond(),
              again.cpuMs()));
    }
  }

  private record Window(double perSecond, double cpuMs) {}

  private Window window(HttpLoad load, ServerProcess running, String model) throws Exception {
    Duration each = lab.duration().dividedBy(2);
    load.measure(List.of(model), CONCURRENCY, Duration.ZERO, each);
    double workersBefore = workerCpuSeconds(running);
    HttpLoad.Window window = load.measure(List.of(model), CONCURRENCY, Duration.ZERO, each);
    double cpuSeconds = window.cpuSeconds() + workerCpuSeconds(running) - workersBefore;
    HttpLoad.Figures figures = window.models().get(0);
    return new Window(figures.perSecond(), cpuSeconds * 1e3 / figures.requests());
  }

  private static double workerCpuSeconds(ServerProcess running) {
    double seconds = 0;
    for (ProcessHandle worker : running.children()) {
      OptionalDouble used = ProcFs.cpuOf(worker.pid()).seconds();
      seconds += used.orElse(0);
    }
    return seconds;
  }

  private Measured latency() throws Exception {
    try (HttpLoad load = HttpLoad.on(lab, server.get())) {
      double before = p50(load, IDENTITY);
      double isolated = p50(load, IDENTITY + ISOLATED);
      double after = p50(load, IDENTITY);
      return new Measured(
          isolated - (before + after) / 2,
          String.format(
              Locale.ROOT,
              "%s -c1, binary FP32 [1,16]: p50 %.0f µs in a process, %.0f and %.0f µs in-process"
                  + " before and after",
              load.client(),
              isolated,
              before,
              after));
    }
  }

  private static double p50(HttpLoad load, String model) throws Exception {
    return load.measure(List.of(model), 1).models().get(0).p50Micros();
  }

  /** From a kill to the next right answer, requests being sent one after the other. */
  private Measured recovery() throws Exception {
    String model = IDENTITY + ISOLATED;
    TestRepository repository = lab.repository();
    repository.add(model, lab.modelFile("identity.onnx"), config(1, true));
    try (ServerProcess alone = lab.startServer(repository, List.of());
        HttpLoad load = HttpLoad.on(lab, alone)) {
      HttpPayload request = HttpPayload.of(load.payload(model));
      List<String> each = new ArrayList<>();
      double worst = 0;
      for (int i = 0; i < KILLS; i++) {
        ProcessHandle worker = alone.worker(model);
        long killedNs = System.nanoTime();
        worker.destroyForcibly();
        worker.onExit().join();
        int refused = 0;
        while (alone.infer(model, request) != 200) {
          refused++;
          if (System.nanoTime() - killedNs > BACK_LIMIT.toNanos()) {
            throw new CannotMeasureException("not back after " + BACK_LIMIT.toSeconds() + " s");
          }
        }
        double backMs = (System.nanoTime() - killedNs) / 1e6;
        worst = Math.max(worst, backMs);
        each.add(String.format(Locale.ROOT, "%.0f ms (%d refused before)", backMs, refused));
      }
      return new Measured(worst, "worst of " + KILLS + ": " + String.join(", ", each));
    }
  }

  private ServerProcess start() throws Exception {
    TestRepository repository = lab.repository();
    for (boolean isolated : new boolean[] {false, true}) {
      String suffix = isolated ? ISOLATED : "";
      repository.add(IDENTITY + suffix, lab.modelFile(IDENTITY + ".onnx"), config(1, isolated));
      repository.add(
          SQUEEZENET + suffix, lab.modelFile(SQUEEZENET + ".onnx"), config(lab.cores(), isolated));
    }
    return lab.startServer(repository, List.of());
  }

  private static JsonObject config(int instances, boolean isolated) {
    JsonObject config = TestRepository.config(8, instances, 1);
    if (isolated) {
      config.getJsonArray("instance_group").getJsonObject(0).put("isolation", "process");
    }
    return config;
  }
}
