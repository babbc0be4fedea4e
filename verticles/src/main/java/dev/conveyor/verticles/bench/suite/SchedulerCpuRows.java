package dev.conveyor.verticles.bench.suite;

import dev.conveyor.scheduler.SchedulerVerticle;
import dev.conveyor.verticles.bench.host.ProcFs;
import dev.conveyor.verticles.bench.load.LoadPattern;
import dev.conveyor.verticles.bench.load.LoadPlan;
import dev.conveyor.verticles.bench.load.LoadPoint;
import io.vertx.core.json.JsonObject;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What the thread of the scheduler takes per request: decisions, messages to and from it, timers
 * and wake-ups.
 *
 * <p>Not thread-safe: owned by the thread that runs the suite. A server on few cores has one event
 * loop for everything. So that the scheduler's can be told apart, this one is made to believe that
 * it has 16 cores, by which it gets two: front ends on one, the scheduler on the other. Where they
 * share one, a request saves a wake-up. What the thread does whether there are requests or not, its
 * timers, is in the figure: it is most of it at the rate of a real model.
 */
final class SchedulerCpuRows implements AutoCloseable {

  private static final int CONCURRENCY = 8;
  private static final double LOAD = 0.7;
  private static final List<String> TWO_LOOPS = List.of("-XX:ActiveProcessorCount=16");
  private static final Map<String, Integer> MODELS = Map.of("identity", 64, "squeezenet", 8);

  /** Code that was not compiled yet would be most of the figure. */
  private static final int COLD_WARMUPS = 4;

  private final Lab lab;
  private @Nullable ServerProcess server;

  SchedulerCpuRows(Lab lab) {
    this.lab = lab;
  }

  List<SuiteRow> rows() {
    return List.of(row("identity"), row("squeezenet"));
  }

  @Override
  public void close() {
    if (server != null) {
      server.close();
      server = null;
    }
  }

  private SuiteRow row(String model) {
    return new SuiteRow(
        "CPU time of the scheduler's thread per request at 70 % load, " + model,
        Target.atMost(10, "µs"),
        () -> measure(model));
  }

  private Measured measure(String model) throws Exception {
    ServerProcess target = server();
    try (HttpLoad load = HttpLoad.on(lab, target)) {
      double capacity =
          run(load, target, model, new LoadPattern.Closed(CONCURRENCY), lab.warmup())
              .inferencesPerSecond();
      LoadPoint point =
          run(load, target, model, new LoadPattern.Open(LOAD * capacity), lab.warmup());
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

  private LoadPoint run(
      HttpLoad load, ServerProcess target, String model, LoadPattern pattern, Duration warmup)
      throws Exception {
    LoadPlan plan =
        new LoadPlan(
            pattern,
            warmup,
            lab.duration(),
            target.threadCpu(SchedulerVerticle.THREAD_NAME),
            ProcFs.ownCpu(),
            1);
    LoadPoint point =
        load.driver().run(List.of(load.driver().lane(model, List.of(load.payload(model)))), plan);
    if (point.failures() > 0) {
      throw new CannotMeasureException("requests failed: " + point.errors());
    }
    return point;
  }

  private ServerProcess server() throws Exception {
    if (server == null) {
      TestRepository repository = lab.repository();
      for (Map.Entry<String, Integer> model : MODELS.entrySet()) {
        repository.add(
            model.getKey(),
            lab.modelFile(model.getKey() + ".onnx"),
            TestRepository.config(model.getValue(), 1, 1)
                .put("dynamic_batching", new JsonObject()));
      }
      server = lab.startServer(repository, TWO_LOOPS);
      try (HttpLoad load = HttpLoad.on(lab, server)) {
        LoadPoint unused =
            run(
                load,
                server,
                "identity",
                new LoadPattern.Closed(CONCURRENCY),
                lab.warmup().multipliedBy(COLD_WARMUPS));
      }
    }
    return server;
  }
}
