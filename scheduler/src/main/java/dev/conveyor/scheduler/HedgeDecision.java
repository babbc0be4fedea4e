package dev.conveyor.scheduler;

/**
 * Published at {@link Addresses#HEDGES}: what was decided about requests that take long.
 *
 * @param key {@link ModelPlan#key} of their model
 * @param detail for a person
 */
public record HedgeDecision(String key, Outcome outcome, String detail) {

  /** What was decided. */
  public enum Outcome {
    /** They run on a second instance, too. */
    HEDGED,
    /** The second instance was first. */
    WON,
    /** They do not: too many do already. */
    REFUSED
  }
}
