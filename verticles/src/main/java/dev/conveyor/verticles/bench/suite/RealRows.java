package dev.conveyor.verticles.bench.suite;

import dev.conveyor.scheduler.simulation.GoodputSearch;
import dev.conveyor.scheduler.simulation.Scenario;
import dev.conveyor.scheduler.simulation.policy.Policies;
import dev.conveyor.verticles.bench.host.ProcFs;
import dev.conveyor.verticles.bench.load.CpuClock;
import dev.conveyor.verticles.bench.load.Lane;
import dev.conveyor.verticles.bench.load.LaneResult;
import dev.conveyor.verticles.bench.load.LoadPattern;
import dev.conveyor.verticles.bench.load.LoadPlan;
import dev.conveyor.verticles.bench.load.LoadPoint;
import dev.conveyor.verticles.bench.suite.HttpLoad.Transport;
import dev.conveyor.verticles.bench.suite.RealServer.Served;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeoutException;

/**
 * The rows on real models: three of them with three objectives on one server, in an open loop with
 * equal rates, judged by what the client sees.
 *
 * <p>Not thread-safe: owned by the suite. The client takes its CPU time from the same cores.
 */
final class RealRows implements AutoCloseable {

  /** Tried from the top; the first that is sustained is the result. */
  private static final double[] PARTS = {1.05, 1, 0.96, 0.92, 0.88, 0.84, 0.8, 0.7, 0.6, 0.5, 0.4};

  private final Lab lab;
  private final RealServer server;
  private final PredictionRows predictions;
  private final Map<Transport, Sustained> sustained = new EnumMap<>(Transport.class);

  RealRows(Lab lab) {
    this.lab = lab;
    this.server = new RealServer(lab);
    this.predictions = new PredictionRows(lab, server);
  }

  List<SuiteRow> rows() {
    List<SuiteRow> rows = new ArrayList<>();
    for (Transport transport : Transport.values()) {
      rows.add(
          new SuiteRow(
              "real goodput of three models / simulated with their learned profiles"
                  + transport.suffix,
              Target.atLeast(0.92, ""),
              () -> goodput(transport)));
      rows.add(
          new SuiteRow(
              "real goodput of three models / simulated on what their transport leaves of the cores"
                  + transport.suffix,
              Target.atLeast(0.92, ""),
              () -> besideTransport(transport)));
    }
    rows.add(
        new SuiteRow(
            "admitted requests inside their objective at 70 % of that goodput",
            Target.atLeast(99.9, "%"), this::inObjective));
    rows.addAll(predictions.rows());
    return rows;
  }

  @Override
  public void close() {
    server.close();
  }

  private Measured goodput(Transport transport) throws Exception {
    ServerProcess target = server.get();
    try (HttpLoad load = HttpLoad.on(lab, target, transport)) {
      List<Lane> lanes = lanes(load);
      for (int i = 0; i < lanes.size(); i++) {
        // Every size runs under load before its profile is taken at its word.
        int concurrency = 2 * RealServer.MODELS.get(i).largestBatch();
        load.driver().run(List.of(lanes.get(i)), plan(new LoadPattern.Closed(concurrency)));
      }
      Settling settling = settle(load, lanes, target);
      Scenario scenario = server.scenario(1);
      double simulated = GoodputSearch.find(scenario, Policies.find(Policies.CONVEYOR));
      StringBuilder tried = new StringBuilder();
      for (double part : PARTS) {
        Judged judged = judge(load, lanes, part * simulated / lanes.size());
        tried.append(
            text(
                "%s%.2f: %.2f %% bad (%s)",
                tried.isEmpty() ? "" : ", ", part, judged.bad(), judged.why()));
        if (judged.bad() <= 100 * GoodputSearch.BAD_LIMIT) {
          sustained.put(transport, new Sustained(part * simulated, judged));
          return new Measured(
              part,
              text(
                  "simulated %.1f/s (%s); tried, as parts of it: %s; the client is on the same"
                      + " cores, %s; %s",
                  simulated,
                  RealServer.describe(scenario),
                  tried,
                  transport.words,
                  settling.how()));
        }
      }
      throw new CannotMeasureException(
          text("no rate was sustained; simulated %.1f/s, tried %s", simulated, tried));
    }
  }

  /** Returns one lane per model, in their order. */
  private static List<Lane> lanes(HttpLoad load) throws TimeoutException {
    List<Lane> lanes = new ArrayList<>();
    for (Served model : RealServer.MODELS) {
      lanes.add(load.driver().lane(model.name(), List.of(load.payload(model.name()))));
    }
    return lanes;
  }

  /** The client's compiler works on the same cores: both are to be quiet. */
  private Settling settle(HttpLoad load, List<Lane> lanes, ServerProcess target) throws Exception {
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
    double perModel = 0.7 * sustained(Transport.HTTP).perSecond() / RealServer.MODELS.size();
    ServerProcess target = server.get();
    try (HttpLoad load = HttpLoad.on(lab, target)) {
      Judged judged = judge(load, lanes(load), perModel);
      return new Measured(
          100.0 * (judged.answered() - judged.late()) / Math.max(1, judged.answered()),
          text(
              "%.1f/s per model: %d answered, %d of them late, %d refused",
              perModel, judged.answered(), judged.late(), judged.refused()));
    }
  }

  /** What the rows after those of goodput are about. */
  private record Sustained(double perSecond, Judged judged) {}

  private Sustained sustained(Transport transport) {
    Sustained found = sustained.get(transport);
    if (found == null) {
      throw new CannotMeasureException("no goodput was found");
    }
    return found;
  }

  /**
   * The same without what no scheduler can change. Costs are learned beside that transport, so that
   * they have a part of it in them already: this is the upper end of what may be lost to it, as the
   * row above is the lower.
   */
  private Measured besideTransport(Transport transport) throws Exception {
    Sustained found = sustained(transport);
    Judged judged = found.judged();
    double taken = judged.clientCores() + judged.serverCores();
    double speed = 1 - taken / lab.cores();
    double simulated = GoodputSearch.find(server.scenario(speed), Policies.find(Policies.CONVEYOR));
    return new Measured(
        found.perSecond() / simulated,
        text(
            "%.1f/s of %.1f/s simulated on %.2f cores; %s",
            found.perSecond(), simulated, speed * lab.cores(), judged.why()));
  }

  /**
   * What a client saw.
   *
   * @param sentLateMs by how much the client itself was late, at its 99th percentile
   * @param clientCores that it needed itself
   * @param serverCores that the server needed besides those that ran batches
   */
  private record Judged(
      long answered,
      long late,
      long refused,
      double sentLateMs,
      double clientCores,
      double serverCores) {

    String why() {
      return text(
          "%d late, %d refused; the client %.0f ms late, %.2f cores; the server %.2f beside batches",
          late, refused, sentLateMs, clientCores, serverCores);
    }

    /** Returns the part that was late or refused, in percent. */
    double bad() {
      return 100.0 * (late + refused) / Math.max(1, answered + refused);
    }
  }

  private Judged judge(HttpLoad load, List<Lane> lanes, double perModel) throws Exception {
    LoadPoint point = load.driver().run(lanes, plan(new LoadPattern.Open(perModel)));
    if (point.windowNs() > 2 * lab.duration().toNanos()) {
      throw new CannotMeasureException(
          text("the client stood still: its window took %.1f s", point.windowNs() / 1e9));
    }
    long answered = 0;
    long late = 0;
    for (int i = 0; i < RealServer.MODELS.size(); i++) {
      LaneResult lane = point.lanes().get(i);
      long objectiveNs = RealServer.MODELS.get(i).objectiveMs() * 1_000_000;
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
        HttpLoad.required(point.clientCpuSeconds()) * 1e9 / point.windowNs(),
        HttpLoad.required(point.serverCpuSeconds()) * 1e9 / point.windowNs());
  }

  private LoadPlan plan(LoadPattern pattern) throws Exception {
    return new LoadPlan(
        pattern, lab.warmup(), lab.duration(), server.cpuBesideBatches(), ProcFs.ownCpu(), 1);
  }

  private static String text(String format, Object... values) {
    return String.format(Locale.ROOT, format, values);
  }
}
