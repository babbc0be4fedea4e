package dev.conveyor.scheduler.simulation.policy;

import dev.conveyor.scheduler.simulation.Scenario;

/**
 * Serves the head with a smaller batch as long as that is at least half of what is wanted, and
 * otherwise drops heads until a batch of the wanted size is in time; never waits.
 *
 * <p>Wanted is what waits, up to the planned size: the largest for which a batch that comes while
 * all instances are busy is still in time, if they finish evenly spread.
 */
final class ShrinkOrDropPolicy extends QueueingPolicy {

  private static final double SHRINK_LIMIT = 0.5;

  ShrinkOrDropPolicy(Scenario scenario) {
    super(scenario);
  }

  @Override
  int size(int model, int device, long nowNs, Machine machine) {
    int waiting = dropHopeless(model, device, nowNs, machine);
    if (waiting == 0) {
      return 0;
    }
    long planNs = (long) (objectiveNs(model) / (1 + 1.0 / instances(model)));
    int planned = Math.max(1, largestWithin(model, device, planNs));
    int fit = Math.min(waiting, largestWithin(model, device, head(model).deadlineNs() - nowNs));
    return fit >= SHRINK_LIMIT * Math.min(waiting, planned)
        ? fit
        : dropUntilFull(model, device, planned, nowNs, machine);
  }

  @Override
  long urgency(int model, int device, int size) {
    return head(model).deadlineNs() - costNs(model, device, size);
  }
}
