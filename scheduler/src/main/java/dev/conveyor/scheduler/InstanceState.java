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
}
