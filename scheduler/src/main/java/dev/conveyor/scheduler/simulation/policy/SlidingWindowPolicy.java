package dev.conveyor.scheduler.simulation.policy;

import dev.conveyor.scheduler.simulation.Scenario;

/**
 * Nexus's early drop: a batch of the planned size, or of all that waits if that is less; heads are
 * dropped until such a batch is in time.
 *
 * <p>The planned size is the largest whose time fits the objective twice: once for waiting behind
 * another such batch and once for itself.
 */
final class SlidingWindowPolicy extends QueueingPolicy {

  SlidingWindowPolicy(Scenario scenario) {
    super(scenario);
  }

  @Override
  int size(int model, int device, long nowNs, Machine machine) {
    int planned = Math.max(1, largestWithin(model, device, objectiveNs(model) / 2));
    return dropUntilFull(model, device, planned, nowNs, machine);
  }

  @Override
  long urgency(int model, int device, int size) {
    return head(model).deadlineNs() - costNs(model, device, size);
  }
}
