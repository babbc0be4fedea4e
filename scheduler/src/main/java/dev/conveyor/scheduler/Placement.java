package dev.conveyor.scheduler;

import dev.conveyor.scheduler.fairness.StartTimeFairQueue.Flow;
import dev.conveyor.scheduler.profile.CostProfile;
import java.util.ArrayDeque;

/**
 * One model on one device: its free instances there, its claim on the device's time, and what its
 * batches cost there.
 *
 * <p>Not thread-safe: owned by the {@link Scheduler}.
 */
final class Placement {

  final ModelState model;
  final DeviceState device;
  final Flow flow;
  final ArrayDeque<InstanceState> free = new ArrayDeque<>();

  /** What it adds to its device's demand now. */
  double demand;

  CostProfile profile = new CostProfile();
  ModelProfile.Seed seed = ModelProfile.Seed.NONE;

  Placement(ModelState model, DeviceState device) {
    this.model = model;
    this.device = device;
    this.flow = device.fair.addFlow(model.plan.weight());
  }

  boolean canRun(long nowNs) {
    return !free.isEmpty() && model.isReady(nowNs);
  }

  /** Returns the instance that is to run next: the one used last, whose caches are warm. */
  InstanceState nextInstance() {
    return free.getLast();
  }
}
