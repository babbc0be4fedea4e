package dev.conveyor.verticles.bench.suite;

import dev.conveyor.verticles.bench.host.ProcFs;
import dev.conveyor.verticles.bench.load.HttpPayload;
import dev.conveyor.verticles.bench.load.InferPayload;
import dev.conveyor.verticles.bench.load.Lane;
import dev.conveyor.verticles.bench.load.LaneResult;
import dev.conveyor.verticles.bench.load.LoadPattern;
import dev.conveyor.verticles.bench.load.LoadPlan;
import dev.conveyor.verticles.bench.load.Payloads;
import io.vertx.core.json.JsonObject;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.TimeoutException;

/**
 * What a model feels of a neighbour that is offered ten times what it can do: its 99th percentile
 * in an open loop at a tenth of its own capacity, against the same before the neighbour is under
 * load.
 *
 * <p>Not thread-safe: owned by the thread that runs the suite. The clients take their CPU time from
 * the same cores; that of the neighbour runs at the lowest priority and sends photos, so that what
 * is measured is the server under that load and not the cost of making it.
 */
final class VictimRow {

  private static final String VICTIM = "squeezenet";
  private static final String NEIGHBOUR = "shufflenet";
  private static final int CONCURRENCY = 8;
  private static final int CONNECTIONS = 2048;
  private static final int MAX_BATCH_SIZE = 4;

  /** More than ten times, because a connection also waits for its answers. */
  private static final double PACED = 20;

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
    if (!Wrk.isInstalled()) {
      throw new CannotMeasureException("wrk is not installed");
    }
    TestRepository repository = lab.repository();
    repository.add(VICTIM, lab.modelFile(VICTIM + ".onnx"), config(VICTIM_OBJECTIVE_US));
    repository.add(
        NEIGHBOUR,
        lab.modelFile(NEIGHBOUR + ".onnx"),
        PipelineConfigs.images(config(NEIGHBOUR_OBJECTIVE_US), "gpu_0/data_0", 224, 224));
    try (ServerProcess server = lab.startServer(repository, List.of());
        HttpLoad load = HttpLoad.on(lab, server)) {
      Path script = script(load);
      double capacity = capacityOfNeighbour(server, script);
      double rate = capacityOfVictim(load, server) / 10;
      LaneResult alone = open(load, server, rate, lab.warmup(), lab.duration());
      Wrk.pace(script, Duration.ofMillis(Math.round(1000 * CONNECTIONS / (PACED * capacity))));
      // The neighbour's load begins before the victim's window and ends after it.
      Duration all = lab.warmup().multipliedBy(2).plus(lab.duration()).plusSeconds(1);
      List<String> command = wrk(server, script, CONNECTIONS, all);
      Process flood = startFlood(command);
      LaneResult beside = open(load, server, rate, lab.warmup().multipliedBy(2), lab.duration());
      HttpLoad.Figures flooded =
          Wrk.parse(Programs.finish(flood, command, floodOutput(), all.plusMinutes(1)));
      double offered = (flooded.requests() + flooded.errors()) / flooded.seconds();
      double soloMs = p99Ms(alone);
      double besideMs = p99Ms(beside);
      double batchMs = batchMs(server);
      double errors = beside.failures();
      String how =
          String.format(
              Locale.ROOT,
              "%s %.1f/s, open loop: p99 %.1f ms alone, %.1f ms beside %s, which was offered"
                  + " %.0f/s (JPEG, wrk -c%d at the lowest priority; %.0f/s alone; answered %d,"
                  + " refused %d); a batch of it %.1f ms; %.0f errors of the victim %s; clients on the"
                  + " same cores",
              VICTIM,
              rate,
              soloMs,
              besideMs,
              NEIGHBOUR,
              offered,
              CONNECTIONS,
              capacity,
              flooded.requests(),
              flooded.errors(),
              batchMs,
              errors,
              beside.errors());
      if (offered < 9 * capacity) {
        throw new CannotMeasureException(
            "the neighbour was not offered ten times its load: " + how);
      }
      // A victim whose requests fail has no latency that could hold.
      double value = errors > 0 ? Double.NaN : besideMs / (1.10 * soloMs + batchMs);
      return new Measured(value, how);
    }
  }

  /** Returns what the neighbour answers per second, alone and with requests always waiting. */
  private double capacityOfNeighbour(ServerProcess server, Path script)
      throws IOException, InterruptedException {
    Duration duration = lab.warmup().plus(lab.duration());
    List<String> command = wrk(server, script, CONCURRENCY, duration);
    Process process = Programs.start(lab.pinned(command), floodOutput());
    HttpLoad.Figures figures =
        Wrk.parse(Programs.finish(process, command, floodOutput(), duration.plusMinutes(1)));
    return figures.perSecond();
  }

  /** Returns what the victim answers per second, alone and with requests always waiting. */
  private double capacityOfVictim(HttpLoad load, ServerProcess server) throws Exception {
    Lane lane = load.driver().lane(VICTIM, List.of(load.payload(VICTIM)));
    LoadPattern pattern = new LoadPattern.Closed(CONCURRENCY);
    LoadPlan plan =
        new LoadPlan(pattern, lab.warmup(), lab.duration(), server.cpu(), ProcFs.ownCpu(), 1);
    return load.driver().run(List.of(lane), plan).inferencesPerSecond();
  }

  private JsonObject config(long objectiveUs) {
    JsonObject config =
        TestRepository.config(MAX_BATCH_SIZE, lab.cores(), 1)
            .put("dynamic_batching", new JsonObject());
    config.getJsonObject("conveyor").put("latency_objective_microseconds", objectiveUs);
    return config;
  }

  /** Puts the neighbour under load from outside, by a client that takes only what nobody wants. */
  private Process startFlood(List<String> command) throws IOException {
    List<String> lowest = new ArrayList<>(List.of("nice", "-n", "19"));
    lowest.addAll(command);
    return Programs.start(lab.pinned(lowest), floodOutput());
  }

  private Path floodOutput() {
    return lab.scratch().resolve("flood.out");
  }

  private static List<String> wrk(
      ServerProcess server, Path script, int connections, Duration duration) {
    String url = "http://127.0.0.1:" + server.httpPort() + HttpPayload.uri(NEIGHBOUR);
    return Wrk.command(connections, duration, script, url);
  }

  private Path script(HttpLoad load) throws IOException, TimeoutException {
    Path images = Path.of(System.getProperty("conveyor.home", "."), "conf", "demo", "images");
    InferPayload photo =
        Payloads.images(
                NEIGHBOUR,
                load.driver().inputs(NEIGHBOUR),
                List.of(),
                1,
                Payloads.readImages(images))
            .get(0);
    return Wrk.writeScript(HttpPayload.of(photo), lab.scratch());
  }

  private static LaneResult open(
      HttpLoad load, ServerProcess server, double rate, Duration warmup, Duration duration)
      throws Exception {
    Lane lane = load.driver().lane(VICTIM, List.of(load.payload(VICTIM)));
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
