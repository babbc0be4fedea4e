package dev.conveyor.verticles.metrics;

import java.util.OptionalDouble;

/**
 * What became of the requests to a model with a latency objective. Immutable.
 *
 * @param inside answered no later than the objective says, by the time from arrival to answer
 * @param late answered later
 * @param refused turned away though they may do better later: at the door, or in the queue because
 *     they would have been late
 */
public record ObjectiveCounts(long inside, long late, long refused) {

  public static final ObjectiveCounts NONE = new ObjectiveCounts(0, 0, 0);

  /** Returns the part that was answered inside the objective; empty if there were no requests. */
  public OptionalDouble share() {
    long all = inside + late + refused;
    return all > 0 ? OptionalDouble.of((double) inside / all) : OptionalDouble.empty();
  }

  /** Returns what came after {@code before} was read of the same counters. */
  public ObjectiveCounts since(ObjectiveCounts before) {
    return new ObjectiveCounts(
        inside - before.inside, late - before.late, refused - before.refused);
  }
}
