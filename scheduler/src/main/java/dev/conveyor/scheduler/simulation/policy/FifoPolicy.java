package dev.conveyor.scheduler.simulation.policy;

import dev.conveyor.scheduler.simulation.Scenario;

/**
 * Takes what waits, up to the largest batch, from the model whose head has waited longest; knows no
 * deadlines and drops nothing.
 *
 * <p>Without a delay this models Triton's dynamic batcher as it is by default. With one, a batch
 * that is not full starts when its head has waited so long.
 */
final class FifoPolicy extends QueueingPolicy {

  private final double delay;

  /**
   * Creates the policy.
   *
   * @param delay fraction of the model's objective; 0 never waits
   */
  FifoPolicy(Scenario scenario, double delay) {
    super(scenario);
    this.delay = delay;
  }

  @Override
  int size(int model, int device, long nowNs, Machine machine) {
    int size = Math.min(queue(model).size(), maxBatchSize(model));
    boolean waits = size < maxBatchSize(model) && nowNs < opensAtNs(model, nowNs);
    return waits ? 0 : size;
  }

  @Override
  long urgency(int model, int device, int size) {
    return head(model).arrivalNs();
  }

  @Override
  long opensAtNs(int model, long nowNs) {
    return head(model).arrivalNs() + (long) (delay * objectiveNs(model));
  }
}
