package dev.conveyor.scheduler;

import org.jspecify.annotations.Nullable;

/**
 * One instance and the batch it runs, if any. Being without one is the credit to receive the next.
 *
 * <p>Not thread-safe: owned by the {@link Scheduler}.
 */
final class InstanceState {

  final InstanceRef ref;
  final Placement placement;
  final int units;

  /** Gets no more batches. */
  boolean leaving;

  @Nullable Assignment running;
  double chargedNs;

  InstanceState(InstanceRef ref, Placement placement, int units) {
    this.ref = ref;
    this.placement = placement;
    this.units = units;
  }

  /** Ends the running batch: gives the room back and charges what it took. */
  void settle(long busyNs, long nowNs) {
    double actualNs = (double) Math.max(0, busyNs) * units;
    placement.device.fair.complete(placement.flow, chargedNs, actualNs);
    placement.device.giveBack(units, nowNs);
    placement.model.running--;
    running = null;
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
  }
}
