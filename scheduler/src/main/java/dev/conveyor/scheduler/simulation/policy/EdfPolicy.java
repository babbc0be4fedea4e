package dev.conveyor.scheduler.simulation.policy;

import dev.conveyor.scheduler.simulation.Scenario;

/**
 * Earliest deadline first with the largest batch that the head's deadline allows (Clockwork's
 * rule); drops only what would be late alone.
 */
final class EdfPolicy extends QueueingPolicy {

  EdfPolicy(Scenario scenario) {
    super(scenario);
  }

  @Override
  int size(int model, int device, long nowNs, Machine machine) {
    int waiting = dropHopeless(model, device, nowNs, machine);
    return waiting == 0
        ? 0
        : Math.min(waiting, largestWithin(model, device, head(model).deadlineNs() - nowNs));
  }

  @Override
  long urgency(int model, int device, int size) {
    return head(model).deadlineNs() - costNs(model, device, size);
  }
}
