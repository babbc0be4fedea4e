package dev.conveyor.scheduler.simulation;

import dev.conveyor.scheduler.simulation.SimulationObserver.Answer;
import java.util.ArrayList;
import java.util.List;

/**
 * Counts what became of the requests of the measured window.
 *
 * <p>Not thread-safe: owned by the {@link Simulator}.
 */
final class Tally {

  private final Scenario scenario;
  private final long fromNs;
  private final long toNs;
  private final long[] arrived;
  private final long[] inTime;
  private final long[] late;
  private final long[] refused;
  private final long[] lost;
  private final double[] busyNs;
  private final LatencyCounts latency = new LatencyCounts();
  private long batches;
  private long batchedRequests;
  private double busySlotNs;

  Tally(Scenario scenario) {
    this.scenario = scenario;
    this.fromNs = scenario.warmupNs();
    this.toNs = scenario.durationNs();
    this.arrived = new long[scenario.models().size()];
    this.inTime = new long[arrived.length];
    this.late = new long[arrived.length];
    this.refused = new long[arrived.length];
    this.lost = new long[arrived.length];
    this.busyNs = new double[arrived.length];
  }

  void arrived(int model, long atNs) {
    if (atNs >= fromNs) {
      arrived[model]++;
    }
  }

  void answered(int model, long arrivalNs, long nowNs, Answer answer) {
    if (arrivalNs >= fromNs) {
      long[] counts =
          switch (answer) {
            case IN_TIME -> inTime;
            case LATE -> late;
            case REFUSED -> refused;
            case LOST -> lost;
          };
      counts[model]++;
      if (counts == inTime || counts == late) {
        latency.record(nowNs - arrivalNs);
      }
    }
  }

  void started(Run run) {
    if (run.startNs >= fromNs && run.startNs < toNs) {
      batches++;
      batchedRequests += run.requests.size();
      long tookNs = run.finishNs - run.startNs;
      busySlotNs += tookNs;
      busyNs[run.model] += tookNs;
    }
  }

  SimulationResult result(double ratePerSecond, long loads) {
    List<SimulationResult.Model> models = new ArrayList<>();
    for (int i = 0; i < arrived.length; i++) {
      models.add(
          new SimulationResult.Model(
              scenario.models().get(i).name(),
              arrived[i],
              inTime[i],
              late[i],
              refused[i],
              lost[i],
              busyNs[i]));
    }
    return new SimulationResult(
        ratePerSecond,
        toNs - fromNs,
        models,
        latency,
        batches,
        batchedRequests,
        busySlotNs,
        scenario.slots(),
        loads);
  }
}
