package dev.conveyor.scheduler;

import dev.conveyor.scheduler.isolation.ExecutionLimit;
import org.jspecify.annotations.Nullable;

/**
 * One instance and the batch it runs, if any. Being without one is the credit to receive the next.
 *
 * <p>Not thread-safe: owned by the {@link Scheduler}.
 */
final class InstanceState {

  final InstanceRef ref;
  final Placement placement;

  /** What a batch of it takes of the device, unless nothing else wants that. */
  final int units;

  /** What a batch of it takes then. */
  final int idleUnits;

  /** What its running batch takes, or took. */
  int runUnits;

  /** Gets no more batches. */
  boolean leaving;

  @Nullable Assignment running;

  /** Of the batch before, as long as the instance may wait awake for another. */
  @Nullable Linger lingering;

  /** Its batch runs on, but the device counts it no more. */
  private boolean lent;

  private long lendingsBefore;

  double chargedNs;

  /** Time of the device's units that nothing else could use for this batch's sake. */
  double keptFreeNs;

  private long startedNs;
  private long batchNsBefore;
  private @Nullable String beside;
  private boolean besideSeveral;

  InstanceState(InstanceRef ref, Placement placement) {
    this.ref = ref;
    this.placement = placement;
    this.units = placement.device.spec.units(ref);
    this.idleUnits = placement.device.spec.idleUnits(ref);
    this.runUnits = units;
  }

  /** Returns true if its running batch, or the last one, had more threads than usual. */
  boolean isWide() {
    return runUnits > units;
  }

  /** Notes that a batch starts, and with it this instance's time on the device. */
  void started(long nowNs) {
    lent = false;
    keptFreeNs = 0;
    lendingsBefore = placement.device.lendings();
    startedNs = nowNs;
    batchNsBefore = placement.device.batchNs(nowNs);
  }

  /** Notes that it runs alone so far. */
  void meetsNobody() {
    beside = null;
    besideSeveral = false;
  }

  /** Notes that another batch runs at the same time, for a while at least. */
  void meets(InstanceState other) {
    String key = other.placement.model.key;
    besideSeveral |= beside != null && !beside.equals(key);
    beside = key;
  }

  /** Returns the model whose batches ran beside this one; null if none or more than one did. */
  @Nullable String beside() {
    return besideSeveral ? null : beside;
  }

  /** Returns how many batches the device ran since {@link #started}, on average, at least 1. */
  int concurrency(long nowNs) {
    double elapsedNs = Math.max(1, nowNs - startedNs);
    long batchNs = placement.device.batchNs(nowNs) - batchNsBefore;
    return (int) Math.max(1, Math.round(batchNs / elapsedNs));
  }

  /** Returns how long its batch is expected to take still; 0 if it is overdue or there is none. */
  long untilEndNs(long nowNs) {
    Assignment assignment = running;
    return assignment == null
        ? 0
        : Math.max(0, assignment.batch().dispatchNs() + (long) (chargedNs / runUnits) - nowNs);
  }

  /** Returns the same if nothing else runs beside it. */
  long untilEndAloneNs(long nowNs) {
    Assignment assignment = running;
    return assignment == null
        ? 0
        : Math.max(0, startedNs + placement.aloneNs(assignment.batch().items()) - nowNs);
  }

  /**
   * Returns how long its batch may still keep others from room that is there, by {@link
   * ExecutionLimit#turnNs}; 0 or less if it takes longer than that.
   */
  long turnLeftNs(long nowNs) {
    Assignment assignment = running;
    return assignment == null
        ? 0
        : ExecutionLimit.turnNs(placement.profile, assignment.batch().items())
            - (nowNs - startedNs);
  }

  /** Ends the running batch: gives the room back and charges what it took. */
  void settle(long busyNs, long nowNs) {
    double actualNs = (double) Math.max(0, busyNs) * runUnits;
    placement.device.chargeKeptFree(nowNs);
    placement.device.runQueue.complete(placement.entry, chargedNs - keptFreeNs, actualNs);
    if (lent) {
      placement.device.lentEnded();
    }
    returnRoom(nowNs);
    placement.model.running--;
    if (running != null) {
      placement.model.order.ended(running.batch());
    }
    running = null;
  }

  /**
   * Lets others have the room of a batch that takes longer than its profile explains; the instance
   * itself stays busy with it. Does nothing if that was done before.
   */
  void lend(long nowNs) {
    if (!lent) {
      returnRoom(nowNs);
      placement.device.lent();
      lent = true;
    }
  }

  boolean isLent() {
    return lent;
  }

  /** Returns false if more ran beside it for a time than the device counts. */
  boolean isCountedRight() {
    return lendingsBefore >= 0 && placement.device.lendings() == lendingsBefore;
  }

  private void returnRoom(long nowNs) {
    if (!lent) {
      placement.device.giveBack(runUnits, nowNs);
      placement.device.ended(this);
    }
  }

  /** Takes the instance for dead, in the middle of a batch or not. */
  void drop(long nowNs) {
    Assignment assignment = running;
    if (assignment != null) {
      settle(nowNs - assignment.batch().dispatchNs(), nowNs);
    }
    leaving = true;
    forget();
  }

  /** Strikes the instance off its model. */
  void forget() {
    placement.free.remove(this);
    placement.model.instances.remove(ref.index(), this);
    placement.model.countInstances();
  }
}
