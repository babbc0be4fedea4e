package dev.conveyor.verticles.bench.suite;

import dev.conveyor.scheduler.SchedulerVerticle;
import dev.conveyor.verticles.bench.host.ProcFs;
import dev.conveyor.verticles.bench.load.Lane;
import dev.conveyor.verticles.bench.load.LoadDriver;
import dev.conveyor.verticles.bench.load.LoadPattern;
import dev.conveyor.verticles.bench.load.LoadPlan;
import dev.conveyor.verticles.bench.load.LoadPoint;
import io.vertx.core.json.JsonObject;
import java.util.List;
import java.util.Locale;

/**
 * What the thread of the scheduler takes per request: decisions, messages to and from it, timers
 * and wake-ups.
 *
 * <p>Not thread-safe: owned by the thread that runs the suite. A server on few cores has one event
 * loop for everything. So that the scheduler's can be told apart, this one is made to believe that
 * it has 16 cores, by which it gets two: front ends on one, the scheduler on the other. Where they
 * share one, a request saves a wake-up.
 */
final class SchedulerCpuRows {

  private static final int CONCURRENCY = 8;
  private static final double LOAD = 0.7;
  private static final List<String> TWO_LOOPS = List.of("-XX:ActiveProcessorCount=16");

  private final Lab lab;

  SchedulerCpuRows(Lab lab) {
    this.lab = lab;
  }

  List<SuiteRow> rows() {
    return List.of(row("identity", 64), row("squeezenet", 8));
  }

  private SuiteRow row(String model, int maxBatchSize) {
    return new SuiteRow(
        "CPU time of the scheduler's thread per request at 70 %% load, %s".formatted(model),
        Target.atMost(10, "µs"),
        () -> measure(model, maxBatchSize));
  }

  private Measured measure(String model, int maxBatchSize) throws Exception {
    TestRepository repository = lab.repository();
    repository.add(
        model,
        lab.modelFile(model + ".onnx"),
        TestRepository.config(maxBatchSize, 1, 1).put("dynamic_batching", new JsonObject()));
    try (ServerProcess server = lab.startServer(repository, TWO_LOOPS);
        HttpLoad load = HttpLoad.on(lab, server)) {
      LoadDriver driver = load.driver();
      List<Lane> lanes = List.of(driver.lane(model, List.of(load.payload(model))));
      double capacity =
          driver
              .run(lanes, plan(server, new LoadPattern.Closed(CONCURRENCY)))
              .inferencesPerSecond();
      LoadPoint point = driver.run(lanes, plan(server, new LoadPattern.Open(LOAD * capacity)));
      if (point.failures() > 0) {
        throw new CannotMeasureException("requests failed: " + point.errors());
      }
      double cpuSeconds = HttpLoad.required(point.serverCpuSeconds());
      return new Measured(
          cpuSeconds / point.inferences() * 1e6,
          String.format(
              Locale.ROOT,
              "%,.0f/s of %,.0f/s in an open loop: %,d requests, %.3f CPU s of %s; two event loops",
              point.inferencesPerSecond(),
              capacity,
              point.inferences(),
              cpuSeconds,
              SchedulerVerticle.THREAD_NAME));
    }
  }

  private LoadPlan plan(ServerProcess server, LoadPattern pattern) {
    return new LoadPlan(
        pattern,
        lab.warmup(),
        lab.duration(),
        server.threadCpu(SchedulerVerticle.THREAD_NAME),
        ProcFs.ownCpu(),
        1);
  }
}
