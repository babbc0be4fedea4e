package dev.conveyor.verticles.bench.suite;

import dev.conveyor.verticles.bench.host.ProcFs;
import dev.conveyor.verticles.bench.load.Lane;
import dev.conveyor.verticles.bench.load.LaneResult;
import dev.conveyor.verticles.bench.load.LoadPattern;
import dev.conveyor.verticles.bench.load.LoadPlan;
import dev.conveyor.verticles.bench.load.LoadPoint;
import io.vertx.core.json.JsonObject;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CompletableFuture;

/**
 * What a model feels of a neighbour that is offered ten times what it can do: its 99th percentile
 * in an open loop at a tenth of its own capacity, against the same before the neighbour is under
 * load.
 *
 * <p>Not thread-safe: owned by the thread that runs the suite. The client takes its CPU time from
 * the same cores.
 */
final class VictimRow {

  private static final String VICTIM = "squeezenet";
  private static final String NEIGHBOUR = "shufflenet";
  private static final int CONCURRENCY = 8;
  private static final int MAX_BATCH_SIZE = 4;
  private static final long VICTIM_OBJECTIVE_US = 100_000;
  private static final long NEIGHBOUR_OBJECTIVE_US = 200_000;

  private final Lab lab;

  VictimRow(Lab lab) {
    this.lab = lab;
  }

  SuiteRow row() {
    return new SuiteRow(
        "p99 of squeezenet while shufflenet is offered 10x its capacity / (1.10 x its p99 alone +"
            + " one batch of shufflenet)",
        Target.atMost(1, ""),
        this::measure);
  }

  private Measured measure() throws Exception {
    TestRepository repository = lab.repository();
    repository.add(VICTIM, lab.modelFile(VICTIM + ".onnx"), config(VICTIM_OBJECTIVE_US));
    repository.add(NEIGHBOUR, lab.modelFile(NEIGHBOUR + ".onnx"), config(NEIGHBOUR_OBJECTIVE_US));
    try (ServerProcess server = lab.startServer(repository, List.of());
        HttpLoad load = HttpLoad.on(lab, server);
        HttpLoad other = HttpLoad.on(lab, server)) {
      double capacity = capacity(load, server, NEIGHBOUR);
      double own = capacity(load, server, VICTIM);
      double rate = own / 10;
      LaneResult alone = open(load, server, VICTIM, rate, lab.warmup(), lab.duration());
      // The neighbour's load begins before the victim's window and ends after it.
      CompletableFuture<LaneResult> flood =
          CompletableFuture.supplyAsync(
              () -> flood(other, server, 10 * capacity, lab.warmup().plus(lab.duration())));
      LaneResult beside = open(load, server, VICTIM, rate, lab.warmup(), lab.duration());
      LaneResult flooded = flood.join();
      double soloMs = p99Ms(alone);
      double besideMs = p99Ms(beside);
      double batchMs = batchMs(server);
      double errors = beside.failures();
      String how =
          String.format(
              Locale.ROOT,
              "%s %.1f/s, open loop: p99 %.1f ms alone, %.1f ms beside %s offered %.0f/s (%.0f/s"
                  + " alone; answered %d, refused %d); a batch of it %.1f ms; %.0f errors of the"
                  + " victim; client on the same cores",
              VICTIM,
              rate,
              soloMs,
              besideMs,
              NEIGHBOUR,
              10 * capacity,
              capacity,
              flooded.answered(),
              flooded.failures(),
              batchMs,
              errors);
      // A victim whose requests fail has no latency that could hold.
      double value = errors > 0 ? Double.NaN : besideMs / (1.10 * soloMs + batchMs);
      return new Measured(value, how);
    }
  }

  /** Returns what a model answers per second, alone and with requests always waiting. */
  private double capacity(HttpLoad load, ServerProcess server, String model) throws Exception {
    Lane lane = load.driver().lane(model, List.of(load.payload(model)));
    LoadPattern pattern = new LoadPattern.Closed(CONCURRENCY);
    LoadPlan plan =
        new LoadPlan(pattern, lab.warmup(), lab.duration(), server.cpu(), ProcFs.ownCpu(), 1);
    LoadPoint point = load.driver().run(List.of(lane), plan);
    return point.inferencesPerSecond();
  }

  private JsonObject config(long objectiveUs) {
    JsonObject config =
        TestRepository.config(MAX_BATCH_SIZE, lab.cores(), 1)
            .put("dynamic_batching", new JsonObject());
    config.getJsonObject("conveyor").put("latency_objective_microseconds", objectiveUs);
    return config;
  }

  private static LaneResult flood(
      HttpLoad load, ServerProcess server, double rate, Duration duration) {
    try {
      return open(load, server, NEIGHBOUR, rate, Duration.ZERO, duration);
    } catch (Exception e) {
      throw new CannotMeasureException("the neighbour: " + e);
    }
  }

  private static LaneResult open(
      HttpLoad load,
      ServerProcess server,
      String model,
      double rate,
      Duration warmup,
      Duration duration)
      throws Exception {
    Lane lane = load.driver().lane(model, List.of(load.payload(model)));
    LoadPlan plan =
        new LoadPlan(
            new LoadPattern.Open(rate), warmup, duration, server.cpu(), ProcFs.ownCpu(), 1);
    return load.driver().run(List.of(lane), plan).lanes().get(0);
  }

  private static double p99Ms(LaneResult lane) {
    if (lane.answered() == 0) {
      throw new CannotMeasureException(lane.model() + " answered nothing: " + lane.errors());
    }
    return lane.latencyNs().getValueAtPercentile(99) / 1e6;
  }

  /** Returns what the largest batch of the neighbour takes, by what the server learned. */
  private static double batchMs(ServerProcess server) throws Exception {
    double longest = 0;
    var sizes =
        new JsonObject(server.page("/v2/models/" + NEIGHBOUR + "/profile"))
            .getJsonArray("devices")
            .getJsonObject(0)
            .getJsonArray("batch_sizes");
    for (int i = 0; i < sizes.size(); i++) {
      longest = Math.max(longest, sizes.getJsonObject(i).getDouble("median_us") / 1e3);
    }
    return longest;
  }
}
