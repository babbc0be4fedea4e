package dev.conveyor.verticles.bench.suite;

import dev.conveyor.scheduler.simulation.CostCurve;
import dev.conveyor.scheduler.simulation.GoodputSearch;
import dev.conveyor.scheduler.simulation.Scenario;
import dev.conveyor.scheduler.simulation.policy.Policies;
import dev.conveyor.verticles.bench.host.ProcFs;
import dev.conveyor.verticles.bench.load.CpuClock;
import dev.conveyor.verticles.bench.load.InferPayload;
import dev.conveyor.verticles.bench.load.Lane;
import dev.conveyor.verticles.bench.load.LaneResult;
import dev.conveyor.verticles.bench.load.LoadDriver;
import dev.conveyor.verticles.bench.load.LoadPattern;
import dev.conveyor.verticles.bench.load.LoadPlan;
import dev.conveyor.verticles.bench.load.LoadPoint;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.DoubleBinaryOperator;
import java.util.function.ToDoubleFunction;
import org.jspecify.annotations.Nullable;

/**
 * The rows on real models: three of them with three objectives on one server, in an open loop with
 * equal rates, judged by what the client sees.
 *
 * <p>Not thread-safe: owned by the suite. The client takes its CPU time from the same cores.
 */
final class RealRows implements AutoCloseable {

  /**
   * A model file, and what is promised for it.
   *
   * @param maxBatchSize 0 if its first dimension is fixed
   */
  private record Served(String name, long objectiveMs, int maxBatchSize) {

    int largestBatch() {
      return Math.max(1, maxBatchSize);
    }
  }

  private static final List<Served> MODELS =
      List.of(
          new Served("squeezenet", 100, 8),
          new Served("shufflenet", 150, 8),
          new Served("ultraface_rfb_320", 200, 0));

  /** Tried from the top; the first that is sustained is the result. */
  private static final double[] PARTS = {1.05, 1, 0.96, 0.92, 0.88, 0.84, 0.8, 0.7, 0.6, 0.5, 0.4};

  /** What the server judges its predictions by. */
  private static final int JUDGED_BATCHES = 512;

  private static final int MOST_TURNS = 8;

  private final Lab lab;
  private @Nullable ServerProcess server;
  private final List<Accuracy> busy = new ArrayList<>();
  private final List<Accuracy> quiet = new ArrayList<>();
  private double sustained;

  RealRows(Lab lab) {
    this.lab = lab;
  }

  List<SuiteRow> rows() {
    return List.of(
        new SuiteRow(
            "real goodput of three models / simulated with their learned profiles",
            Target.atLeast(0.92, ""),
            this::goodput),
        new SuiteRow(
            "admitted requests inside their objective at 70 % of that goodput",
            Target.atLeast(99.9, "%"), this::inObjective),
        new SuiteRow(
            "predicted / measured batch time: largest median error of the three models",
            Target.atMost(5, "%"),
            () -> accuracy(Accuracy::medianError, Math::max)),
        new SuiteRow(
            "runs under the predicted p99: smallest share of the three models",
            Target.atLeast(97, "%"),
            () -> accuracy(Accuracy::shareUnderP99, Math::min)));
  }

  @Override
  public void close() {
    if (server != null) {
      server.close();
      server = null;
    }
  }

  private Measured goodput() throws Exception {
    ServerProcess target = server();
    try (HttpLoad load = HttpLoad.on(lab, target)) {
      for (Served model : MODELS) {
        // Every size runs under load before its profile is taken at its word.
        load.driver()
            .run(
                List.of(load.driver().lane(model.name(), List.of(load.payload(model.name())))),
                plan(target, new LoadPattern.Closed(2 * model.largestBatch())));
      }
      Settling settling = settle(load, target);
      Scenario scenario = scenario(target);
      double simulated = GoodputSearch.find(scenario, Policies.find(Policies.CONVEYOR));
      StringBuilder tried = new StringBuilder();
      for (double part : PARTS) {
        Judged judged = judge(load, target, part * simulated / MODELS.size());
        tried.append(
            text(
                "%s%.2f: %.2f %% bad (%s)",
                tried.isEmpty() ? "" : ", ", part, judged.bad(), judged.why()));
        if (judged.bad() <= 100 * GoodputSearch.BAD_LIMIT) {
          sustained = part * simulated / MODELS.size();
          return new Measured(
              part,
              text(
                  "simulated %.1f/s (%s); tried, as parts of it: %s; client on the same cores; %s",
                  simulated, describe(scenario), tried, settling.how()));
        }
      }
      throw new CannotMeasureException(
          text("no rate was sustained; simulated %.1f/s, tried %s", simulated, tried));
    }
  }

  /** The client's compiler works on the same cores: both are to be quiet. */
  private Settling settle(HttpLoad load, ServerProcess target) throws Exception {
    List<Lane> lanes = new ArrayList<>();
    for (Served model : MODELS) {
      lanes.add(load.driver().lane(model.name(), List.of(load.payload(model.name()))));
    }
    CpuClock own = Settling.compilerOf(ProcessHandle.current().pid());
    return Settling.await(
        length ->
            load.driver()
                .run(
                    lanes,
                    new LoadPlan(
                        new LoadPattern.Closed(4),
                        Duration.ZERO,
                        length,
                        target.cpu(),
                        ProcFs.ownCpu(),
                        1)),
        target.compiler().plus(own),
        lab.warmup());
  }

  private Measured inObjective() throws Exception {
    if (sustained == 0) {
      throw new CannotMeasureException("no goodput was found");
    }
    ServerProcess target = server();
    try (HttpLoad load = HttpLoad.on(lab, target)) {
      Judged judged = judge(load, target, 0.7 * sustained);
      return new Measured(
          100.0 * (judged.answered() - judged.late()) / Math.max(1, judged.answered()),
          text(
              "%.1f/s per model: %d answered, %d of them late, %d refused",
              0.7 * sustained, judged.answered(), judged.late(), judged.refused()));
    }
  }

  /** How well the costs of the last 512 batches of a model were predicted, parts of 1. */
  private record Accuracy(double medianError, double shareUnderP99, long batches) {}

  private Measured accuracy(ToDoubleFunction<Accuracy> figure, DoubleBinaryOperator worst)
      throws Exception {
    if (quiet.isEmpty()) {
      for (Served model : MODELS) {
        busy.add(accuracyOf(model));
      }
      for (Served model : MODELS) {
        runAlone(model);
        quiet.add(accuracyOf(model));
      }
    }
    double value = quiet.stream().mapToDouble(figure).reduce(worst).orElseThrow();
    List<String> all = new ArrayList<>();
    for (int i = 0; i < MODELS.size(); i++) {
      all.add(
          text(
              "%s %.4f, %.4f",
              MODELS.get(i).name(),
              figure.applyAsDouble(quiet.get(i)),
              figure.applyAsDouble(busy.get(i))));
    }
    return new Measured(
        100 * value,
        "GET /v2/models/NAME/profile, last 512 batches: first each model alone, one client that"
            + " sends batches of all sizes one after another; then the three together beside their"
            + " clients, after the load of the rows above: "
            + String.join("; ", all));
  }

  /** One request at a time, of every batch size in turn, until these are all that is judged. */
  private void runAlone(Served model) throws Exception {
    ServerProcess target = server();
    try (HttpLoad load = HttpLoad.on(lab, target)) {
      List<InferPayload> payloads = new ArrayList<>();
      for (int batch = 1; batch <= model.largestBatch(); batch++) {
        payloads.add(load.payload(model.name(), batch));
      }
      long enough = accuracyOf(model).batches() + JUDGED_BATCHES;
      for (int i = 0; i < MOST_TURNS && accuracyOf(model).batches() < enough; i++) {
        load.driver()
            .run(
                List.of(load.driver().lane(model.name(), payloads)),
                plan(target, new LoadPattern.Closed(1)));
      }
      if (accuracyOf(model).batches() < enough) {
        throw new CannotMeasureException(
            text("%s ran fewer than %d batches alone", model.name(), JUDGED_BATCHES));
      }
    }
  }

  private Accuracy accuracyOf(Served model) throws Exception {
    JsonObject accuracy = device(server(), model).getJsonObject("accuracy");
    return new Accuracy(
        accuracy.getDouble("median_error"),
        accuracy.getDouble("share_under_p99"),
        accuracy.getLong("batches"));
  }

  /**
   * What a client saw.
   *
   * @param sentLateMs by how much the client itself was late, at its 99th percentile
   * @param clientCores that it needed itself
   */
  private record Judged(
      long answered, long late, long refused, double sentLateMs, double clientCores) {

    String why() {
      return text(
          "%d late, %d refused; the client %.0f ms late, %.2f cores",
          late, refused, sentLateMs, clientCores);
    }

    /** Returns the part that was late or refused, in percent. */
    double bad() {
      return 100.0 * (late + refused) / Math.max(1, answered + refused);
    }
  }

  private Judged judge(HttpLoad load, ServerProcess target, double perModel) throws Exception {
    LoadDriver driver = load.driver();
    List<Lane> lanes = new ArrayList<>();
    for (Served model : MODELS) {
      lanes.add(driver.lane(model.name(), List.of(load.payload(model.name()))));
    }
    LoadPoint point = driver.run(lanes, plan(target, new LoadPattern.Open(perModel)));
    if (point.windowNs() > 2 * lab.duration().toNanos()) {
      throw new CannotMeasureException(
          text("the client stood still: its window took %.1f s", point.windowNs() / 1e9));
    }
    long answered = 0;
    long late = 0;
    for (int i = 0; i < MODELS.size(); i++) {
      LaneResult lane = point.lanes().get(i);
      long objectiveNs = MODELS.get(i).objectiveMs() * 1_000_000;
      long slowestNs = Math.max(objectiveNs + 1, lane.latencyNs().getMaxValue());
      // Those that were due in the window, also if they were answered after it.
      answered += lane.latencyNs().getTotalCount();
      late += lane.latencyNs().getCountBetweenValues(objectiveNs, slowestNs);
    }
    double sentLateNs =
        LoadPoint.merged(point.lanes().stream().map(LaneResult::lateNs).toList())
            .getValueAtPercentile(99);
    return new Judged(
        answered,
        late,
        point.failures(),
        sentLateNs / 1e6,
        point.clientCpuSeconds().orElse(Double.NaN) * 1e9 / point.windowNs());
  }

  private LoadPlan plan(ServerProcess target, LoadPattern pattern) {
    return new LoadPlan(pattern, lab.warmup(), lab.duration(), target.cpu(), ProcFs.ownCpu(), 1);
  }

  /** Returns the machine as a scenario: its cores, and the models with what the server learned. */
  private Scenario scenario(ServerProcess target) throws Exception {
    List<Scenario.Model> models = new ArrayList<>();
    for (Served model : MODELS) {
      JsonArray sizes = device(target, model).getJsonArray("batch_sizes");
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
        List.of(new Scenario.Device("cpu", lab.cores(), 1)),
        models,
        new Scenario.Arrivals.Poisson(),
        List.of());
  }

  private static String describe(Scenario scenario) {
    List<String> models = new ArrayList<>();
    for (Scenario.Model model : scenario.models()) {
      models.add(
          text(
              "%s %.1f to %.1f ms, objective %d ms",
              model.name(),
              model.cost().ns(1) / 1e6,
              model.cost().ns(model.cost().maxBatchSize()) / 1e6,
              model.objectiveNs() / 1_000_000));
    }
    return String.join("; ", models);
  }

  private static JsonObject device(ServerProcess target, Served model) throws Exception {
    JsonArray devices =
        new JsonObject(target.page("/v2/models/" + model.name() + "/profile"))
            .getJsonArray("devices");
    if (devices.isEmpty()) {
      throw new CannotMeasureException(model.name() + " has no profile");
    }
    return devices.getJsonObject(0);
  }

  private ServerProcess server() throws Exception {
    if (server == null) {
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
      server = lab.startServer(repository, List.of());
    }
    return server;
  }

  private static String text(String format, Object... values) {
    return String.format(Locale.ROOT, format, values);
  }
}
