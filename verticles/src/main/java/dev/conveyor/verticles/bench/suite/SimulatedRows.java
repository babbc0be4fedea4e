package dev.conveyor.verticles.bench.suite;

import dev.conveyor.scheduler.simulation.CostCurve;
import dev.conveyor.scheduler.simulation.GoodputSearch;
import dev.conveyor.scheduler.simulation.Run;
import dev.conveyor.scheduler.simulation.Scenario;
import dev.conveyor.scheduler.simulation.SimulationObserver;
import dev.conveyor.scheduler.simulation.SimulationResult;
import dev.conveyor.scheduler.simulation.Simulator;
import dev.conveyor.scheduler.simulation.policy.Policies;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** The rows that need no server: the production core under virtual time. Not thread-safe. */
final class SimulatedRows {

  /** The scenarios that every policy runs through. */
  static final List<String> SCENARIOS =
      List.of(
          "midgpu-1x1",
          "midgpu-1x4",
          "midgpu-4x1",
          "midgpu-8x1",
          "midgpu-8x8",
          "midgpu-8x32",
          "1080ti-1x1",
          "1080ti-1x4",
          "1080ti-4x1",
          "1080ti-8x1",
          "1080ti-8x8",
          "1080ti-8x32",
          "cpu-1x1",
          "cpu-1x4",
          "cpu-4x1",
          "cpu-8x1",
          "cpu-8x8",
          "cpu-8x32",
          "h200-1x1",
          "h200-1x4",
          "h200-4x1");

  private static final String FLEET = "fleet-64x1000";
  private static final double TIED = 0.98;
  private static final long SECOND_NS = 1_000_000_000;

  private final SimulatedTable table = new SimulatedTable();

  List<SuiteRow> rows() {
    List<SuiteRow> rows = new ArrayList<>();
    for (String scenario : SCENARIOS) {
      rows.add(
          new SuiteRow(
              "simulated goodput / best of all policies, " + scenario,
              Target.atLeast(0.955, ""),
              () -> goodput(scenario)));
    }
    rows.add(
        new SuiteRow(
            "scenarios of %d with the best goodput, or within 2 %% of it"
                .formatted(SCENARIOS.size()),
            Target.atLeast(12, ""),
            this::best));
    rows.add(
        new SuiteRow(
            "simulated in-objective rate at 2x overload / best goodput, smallest of all scenarios",
            Target.atLeast(0.95, ""),
            this::overload));
    rows.add(
        new SuiteRow(
            "64 devices x 1,000 models: simulated requests per CPU second",
            Target.atLeast(1_000_000, ""),
            SimulatedRows::speed));
    rows.add(
        new SuiteRow(
            "CPU time of the core per request at 70 % load, simulated",
            Target.atMost(10, "µs"), SimulatedRows::cost));
    rows.add(
        new SuiteRow(
            "device-time shares of four saturated models of equal weight, largest error in any"
                + " second",
            Target.atMost(0.05, ""),
            SimulatedRows::shares));
    return rows;
  }

  private Measured goodput(String scenario) {
    SimulatedTable.Line line = table.line(scenario);
    StringBuilder how = new StringBuilder();
    line.goodput().forEach((name, rate) -> how.append(text(", %s %.0f/s", name, rate)));
    return new Measured(
        line.conveyor() / line.best(),
        text("scripts/simulate conf/simulations/%s.json: %s", scenario, how.substring(2)));
  }

  private Measured best() {
    List<String> behind = new ArrayList<>();
    for (String scenario : SCENARIOS) {
      SimulatedTable.Line line = table.line(scenario);
      if (line.conveyor() < TIED * line.best()) {
        behind.add(text("%s %.3f of %s", scenario, line.conveyor() / line.best(), line.bestName()));
      }
    }
    return new Measured(SCENARIOS.size() - behind.size(), "behind by more than 2 %: " + behind);
  }

  private Measured overload() {
    double smallest = Double.POSITIVE_INFINITY;
    List<String> all = new ArrayList<>();
    for (String scenario : SCENARIOS) {
      SimulatedTable.Line line = table.line(scenario);
      double part = line.overloaded() / line.best();
      smallest = Math.min(smallest, part);
      all.add(text("%s %.2f", scenario, part));
    }
    return new Measured(smallest, String.join(", ", all));
  }

  private static Measured speed() {
    Scenario scenario = SimulatedTable.scenario(FLEET);
    double rate = scenario.ratePerSecond();
    // The first run is for the compiler.
    GoodputSearch.run(scenario, Policies.find(Policies.CONVEYOR), rate);
    Timed timed = timed(scenario, Policies.CONVEYOR, rate);
    return new Measured(
        timed.requests() / timed.cpuSeconds(),
        text(
            "%s at %,.0f/s: %,.0f requests in %.2f CPU s of one thread, mean batch %.1f, %.2f %%"
                + " bad",
            FLEET,
            rate,
            timed.requests(),
            timed.cpuSeconds(),
            timed.result().meanBatch(),
            100 * timed.result().badFraction()));
  }

  private static Measured cost() {
    String name = "midgpu-8x8";
    Scenario scenario = SimulatedTable.scenario(name);
    double rate = 0.7 * GoodputSearch.find(scenario, Policies.find(Policies.CONVEYOR));
    Timed timed = timed(scenario, Policies.CONVEYOR, rate);
    return new Measured(
        timed.cpuSeconds() / timed.requests() * 1e6,
        text(
            "%s at %.0f/s: %,.0f requests in %.2f CPU s, the simulator's own included",
            name, rate, timed.requests(), timed.cpuSeconds()));
  }

  /** One run, with the CPU time of its thread. */
  private record Timed(SimulationResult result, double requests, double cpuSeconds) {}

  private static Timed timed(Scenario scenario, String policy, double rate) {
    ThreadMXBean threads = ManagementFactory.getThreadMXBean();
    long[] arrived = new long[1];
    SimulationObserver counter =
        new SimulationObserver() {
          @Override
          public void started(Run run) {
            arrived[0] += run.requests().size();
          }
        };
    long beforeNs = threads.getCurrentThreadCpuTime();
    SimulationResult result =
        new Simulator(scenario, rate, Policies.find(policy).apply(scenario), counter).run();
    double seconds = (threads.getCurrentThreadCpuTime() - beforeNs) / 1e9;
    return new Timed(result, (double) arrived[0] + result.refused(), seconds);
  }

  /** Four models, each offered three times what the device could do of it alone. */
  private static Measured shares() {
    int models = 4;
    int seconds = 8;
    List<Scenario.Model> all = new ArrayList<>();
    double[] alphas = {50_000, 100_000, 200_000, 400_000};
    for (int i = 0; i < models; i++) {
      CostCurve cost = CostCurve.linear(alphas[i], 500_000, 32);
      all.add(new Scenario.Model("m" + i, 40_000_000, 1, 32e9 / cost.ns(32), cost, 0, List.of(0)));
    }
    double alone = all.stream().mapToDouble(Scenario.Model::popularity).sum();
    Scenario scenario =
        new Scenario(
            "shares",
            "",
            1,
            seconds * SECOND_NS,
            0,
            0,
            List.of(new Scenario.Device("gpu", 1, 1)),
            all,
            new Scenario.Arrivals.Poisson(),
            List.of());
    double[][] busyNs = new double[4 * seconds + 8][models];
    SimulationObserver observer =
        new SimulationObserver() {
          @Override
          public void started(Run run) {
            spread(busyNs, run);
          }
        };
    new Simulator(scenario, 3 * alone, Policies.find(Policies.CONVEYOR).apply(scenario), observer)
        .run();
    double largest = 0;
    // From the second second on; windows of a second that begin every quarter.
    for (int from = 4; from + 4 <= 4 * seconds; from++) {
      for (int m = 0; m < models; m++) {
        double share = 0;
        double sum = 0;
        for (int quarter = from; quarter < from + 4; quarter++) {
          share += busyNs[quarter][m];
          for (int other = 0; other < models; other++) {
            sum += busyNs[quarter][other];
          }
        }
        largest = Math.max(largest, Math.abs(share / sum - 1.0 / models) * models);
      }
    }
    return new Measured(
        largest,
        "four models with batches of up to 32 in 2.1 to 13.3 ms, each offered three times the"
            + " device's capacity, over 7 s; |share / fair share - 1| in windows of a second that"
            + " begin every quarter");
  }

  private static void spread(double[][] busyNs, Run run) {
    long quarterNs = SECOND_NS / 4;
    long atNs = run.startNs();
    while (atNs < run.finishNs()) {
      int quarter = (int) (atNs / quarterNs);
      long untilNs = Math.min(run.finishNs(), (quarter + 1) * quarterNs);
      if (quarter < busyNs.length) {
        busyNs[quarter][run.model()] += untilNs - atNs;
      }
      atNs = untilNs;
    }
  }

  private static String text(String format, Object... values) {
    return String.format(Locale.ROOT, format, values);
  }
}
