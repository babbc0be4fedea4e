package dev.conveyor.scheduler.simulation.policy;

import dev.conveyor.scheduler.simulation.Scenario;

/**
 * Deferred batching (Symphony): a batch waits for more requests until one more would make its head
 * late, then starts at once.
 *
 * <p>With {@code drops}, a batch that could be but half of what is planned drops heads instead, as
 * {@link ShrinkOrDropPolicy} does; without, it drops only what would be late alone.
 */
final class SymphonyPolicy extends QueueingPolicy {

  private static final double SHRINK_LIMIT = 0.5;

  private final boolean drops;

  SymphonyPolicy(Scenario scenario, boolean drops) {
    super(scenario);
    this.drops = drops;
  }

  @Override
  int size(int model, int device, long nowNs, Machine machine) {
    int waiting = dropHopeless(model, device, nowNs, machine);
    if (waiting == 0) {
      return 0;
    }
    int fit = Math.min(waiting, largestWithin(model, device, head(model).deadlineNs() - nowNs));
    if (drops) {
      long planNs = (long) (objectiveNs(model) / (1 + 1.0 / instances(model)));
      int planned = Math.max(1, largestWithin(model, device, planNs));
      if (fit < SHRINK_LIMIT * Math.min(waiting, planned)) {
        fit = dropUntilFull(model, device, planned, nowNs, machine);
      }
    }
    return fit == 0 || nowNs < opensAtNs(model, device, fit) ? 0 : fit;
  }

  @Override
  long urgency(int model, int device, int size) {
    return head(model).deadlineNs() - costNs(model, device, size);
  }

  @Override
  long opensAtNs(int model, long nowNs) {
    return opensAtNs(model, 0, Math.min(queue(model).size(), maxBatchSize(model)));
  }

  /** Returns from when on no further request could join a batch of this size. */
  private long opensAtNs(int model, int device, int size) {
    return size == maxBatchSize(model)
        ? 0
        : head(model).deadlineNs() - costNs(model, device, size + 1);
  }
}
