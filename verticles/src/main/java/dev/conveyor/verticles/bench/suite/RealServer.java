package dev.conveyor.verticles.bench.suite;

import dev.conveyor.scheduler.simulation.CostCurve;
import dev.conveyor.scheduler.simulation.Scenario;
import dev.conveyor.verticles.bench.load.CpuClock;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * The server of three real models with three objectives, and the same as a scenario for the
 * simulator.
 *
 * <p>Not thread-safe: owned by the suite.
 */
final class RealServer implements AutoCloseable {

  /**
   * A model file, and what is promised for it.
   *
   * @param maxBatchSize 0 if its first dimension is fixed
   */
  record Served(String name, long objectiveMs, int maxBatchSize) {

    int largestBatch() {
      return Math.max(1, maxBatchSize);
    }
  }

  static final List<Served> MODELS =
      List.of(
          new Served("squeezenet", 100, 8),
          new Served("shufflenet", 150, 8),
          new Served("ultraface_rfb_320", 200, 0));

  private final Lab lab;
  private final SuiteServer server = new SuiteServer(this::start);

  RealServer(Lab lab) {
    this.lab = lab;
  }

  /** Returns the server; starts it at the first call. */
  ServerProcess get() throws Exception {
    return server.get();
  }

  private ServerProcess start() throws Exception {
    TestRepository repository = lab.repository();
    for (Served model : MODELS) {
      JsonObject config = TestRepository.config(model.maxBatchSize(), lab.cores(), 1);
      if (model.maxBatchSize() > 0) {
        config.put("dynamic_batching", new JsonObject());
      }
      config
          .getJsonObject("conveyor")
          .put("latency_objective_microseconds", model.objectiveMs() * 1000);
      repository.add(model.name(), lab.modelFile(model.name() + ".onnx"), config);
    }
    return lab.startServer(repository, List.of());
  }

  @Override
  public void close() {
    server.close();
  }

  /**
   * Returns the machine as a scenario: its cores, and the models with what the server learned.
   *
   * @param speed the part of its cores that there is for batches
   */
  Scenario scenario(double speed) throws Exception {
    List<Scenario.Model> models = new ArrayList<>();
    for (Served model : MODELS) {
      JsonArray sizes = device(model).getJsonArray("batch_sizes");
      int[] items = new int[sizes.size()];
      double[] costsNs = new double[items.length];
      for (int i = 0; i < items.length; i++) {
        items[i] = sizes.getJsonObject(i).getInteger("batch_size");
        costsNs[i] = sizes.getJsonObject(i).getDouble("median_us") * 1e3;
      }
      if (items.length == 0) {
        throw new CannotMeasureException(model.name() + " has no profile");
      }
      models.add(
          new Scenario.Model(
              model.name(),
              model.objectiveMs() * 1_000_000,
              1,
              1,
              CostCurve.through(items, costsNs, model.largestBatch()),
              0,
              List.of(0)));
    }
    return new Scenario(
        "this machine",
        "",
        1,
        120_000_000_000L,
        2_000_000_000L,
        0,
        List.of(new Scenario.Device("cpu", lab.cores(), speed)),
        models,
        new Scenario.Arrivals.Poisson(),
        List.of());
  }

  /** Says what a scenario has in it. */
  static String describe(Scenario scenario) {
    List<String> models = new ArrayList<>();
    for (Scenario.Model model : scenario.models()) {
      models.add(
          String.format(
              Locale.ROOT,
              "%s %.1f to %.1f ms, objective %d ms",
              model.name(),
              model.cost().ns(1) / 1e6,
              model.cost().ns(model.cost().maxBatchSize()) / 1e6,
              model.objectiveNs() / 1_000_000));
    }
    return String.join("; ", models);
  }

  /** Returns what the server learned about a model. */
  JsonObject device(Served model) throws Exception {
    JsonArray devices =
        new JsonObject(get().page("/v2/models/" + model.name() + "/profile"))
            .getJsonArray("devices");
    if (devices.isEmpty()) {
      throw new CannotMeasureException(model.name() + " has no profile");
    }
    return devices.getJsonObject(0);
  }

  /** Returns the CPU time of what the server does besides running batches. */
  CpuClock cpuBesideBatches() throws Exception {
    CpuClock clock = get().cpu();
    for (Served model : MODELS) {
      clock = clock.minus(get().threadCpu(shown("instance-" + model.name())));
    }
    return clock;
  }

  /** The system knows a thread by the first 15 characters of its name. */
  private static String shown(String threadName) {
    return threadName.substring(0, Math.min(15, threadName.length()));
  }
}
