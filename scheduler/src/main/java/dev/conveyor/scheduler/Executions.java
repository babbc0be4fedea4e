package dev.conveyor.scheduler;

import dev.conveyor.scheduler.isolation.ExecutionLimit;
import dev.conveyor.scheduler.isolation.Stalls;
import java.util.ArrayList;
import java.util.List;

/**
 * What runs now, and what of it takes too long.
 *
 * <p>Not thread-safe: owned by the {@link Scheduler}. Every call passes over all instances.
 */
final class Executions {

  private final ModelTable models;

  Executions(ModelTable models) {
    this.models = models;
  }

  /** Returns every batch that runs now. */
  List<Assignment> running() {
    List<Assignment> running = new ArrayList<>(0);
    for (ModelState model : models.all()) {
      for (InstanceState instance : model.instances.values()) {
        if (instance.running != null) {
          running.add(instance.running);
        }
      }
    }
    return running;
  }

  /**
   * Returns what runs longer than {@link ExecutionLimit} allows.
   *
   * @param stalls do not count
   */
  List<Assignment> overdue(long nowNs, Stalls stalls, ExecutionLimit limit) {
    List<Assignment> overdue = new ArrayList<>(0);
    for (Assignment running : running()) {
      if (untilCutNs(running, nowNs, stalls, limit) < 0) {
        overdue.add(running);
      }
    }
    return overdue;
  }

  /**
   * Lets others have the room of batches that take longer than {@link ExecutionLimit#patienceNs},
   * until they end or are cut.
   *
   * @param stalls what was before the end of the last one does not count
   * @return those whose room was not lent before
   */
  List<Assignment> lendOverdue(long nowNs, Stalls stalls) {
    List<Assignment> lent = new ArrayList<>(0);
    for (Assignment running : running()) {
      if (!running.state.isLent() && untilLentNs(running, nowNs, stalls) <= 0) {
        running.state.lend(nowNs);
        lent.add(running);
      }
    }
    return lent;
  }

  /**
   * Returns how long until {@link #lendOverdue} or {@link #overdue} may find something, though none
   * ends and none begins; {@link Scheduler#NEVER} if nothing runs.
   */
  long untilOverdueNs(long nowNs, Stalls stalls, ExecutionLimit limit) {
    long earliestNs = Scheduler.NEVER;
    for (Assignment running : running()) {
      earliestNs = Math.min(earliestNs, untilCutNs(running, nowNs, stalls, limit));
      if (!running.state.isLent()) {
        earliestNs = Math.min(earliestNs, untilLentNs(running, nowNs, stalls));
      }
    }
    return earliestNs == Scheduler.NEVER ? earliestNs : Math.max(0, earliestNs);
  }

  private static long untilCutNs(
      Assignment running, long nowNs, Stalls stalls, ExecutionLimit limit) {
    Placement placement = running.state.placement;
    long limitNs = limit.ns(placement.profile, items(running.batch()), placement.cuts);
    return limitNs - stalls.ageNs(running.batch().clock(), nowNs);
  }

  private static long untilLentNs(Assignment running, long nowNs, Stalls stalls) {
    Batch batch = running.batch();
    long patienceNs = ExecutionLimit.patienceNs(running.state.placement.profile, items(batch));
    return patienceNs - Math.min(batch.clock().ageNs(nowNs), nowNs - stalls.endNs());
  }

  /** A synthetic batch may be larger than the one that it runs for. */
  private static int items(Batch batch) {
    return Math.max(batch.items(), batch.clock().probeItems());
  }
}
