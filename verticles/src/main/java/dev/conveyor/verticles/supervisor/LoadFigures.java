package dev.conveyor.verticles.supervisor;

import dev.conveyor.models.RefusalReason;
import dev.conveyor.models.config.ServiceLevel;
import dev.conveyor.scheduler.SchedulerSnapshot;
import dev.conveyor.scheduler.occupancy.InstanceScaler.Window;
import dev.conveyor.verticles.metrics.LatencySnapshot;
import dev.conveyor.verticles.metrics.ModelStats;
import java.util.Map;

/**
 * What one version had done by one moment. Immutable; two of them are a window.
 *
 * @param takenNs {@link System#nanoTime} of that moment
 * @param queue how long requests waited, of those that were answered
 * @param compute how long executions took
 * @param refused requests turned away for want of instances, not of a quota
 */
record LoadFigures(
    long takenNs,
    int queued,
    long dispatched,
    long refused,
    LatencySnapshot queue,
    LatencySnapshot compute) {

  /** Without an objective, requests should not take longer than so many executions. */
  private static final int EXECUTIONS = 4;

  /** What latency is held against before anything has run. */
  private static final double UNKNOWN_NS = 1e9;

  static LoadFigures of(long takenNs, SchedulerSnapshot.Model model, ModelStats stats) {
    ModelStats.Histograms histograms = stats.histograms();
    return new LoadFigures(
        takenNs,
        model.queuedRequests(),
        model.dispatchedRequests(),
        refused(stats.refusals()),
        histograms.queue(),
        histograms.compute());
  }

  /** Returns what happened since {@code before}. */
  Window since(LoadFigures before, int instances, ServiceLevel level, boolean fitsOneMore) {
    long elapsedNs = Math.max(1, takenNs - before.takenNs);
    LatencySnapshot waited = queue.since(before.queue);
    LatencySnapshot ran = compute.since(before.compute);
    long started = dispatched - before.dispatched;
    // If nothing has run of what waits, it has waited for all that time.
    double waitedNs = started == 0 && queued > 0 ? elapsedNs : waited.quantileNs(0.95).orElse(0);
    long turnedAway = refused - before.refused;
    double refusedShare = turnedAway == 0 ? 0 : (double) turnedAway / (started + turnedAway);
    double demand = (double) ran.sumNs() / elapsedNs;
    return new Window(
        instances,
        (long) waitedNs,
        level.hasObjective() ? level.latencyObjective().toNanos() : usualNs(ran),
        started == 0 ? demand : demand / (1 - refusedShare),
        refusedShare,
        fitsOneMore);
  }

  private long usualNs(LatencySnapshot ran) {
    LatencySnapshot known = ran.count() > 0 ? ran : compute;
    return (long)
        (known.count() > 0 ? EXECUTIONS * (double) known.sumNs() / known.count() : UNKNOWN_NS);
  }

  /** Returns how many requests were turned away for want of instances, not of a quota. */
  static long refused(Map<RefusalReason, Long> refusals) {
    long sum = 0;
    for (Map.Entry<RefusalReason, Long> refusal : refusals.entrySet()) {
      sum +=
          switch (refusal.getKey()) {
            case MODEL_QUOTA, TENANT_QUOTA, REQUEST_MEMORY -> 0;
            default -> refusal.getValue();
          };
    }
    return sum;
  }
}
