package dev.conveyor.scheduler;

/**
 * Published at {@link Addresses#RETRIES}: whether a request of a lost instance runs again.
 *
 * @param key {@link ModelPlan#key} of its model
 * @param refusal why it does not, in one word; empty if it does
 * @param detail what the instance was lost by, and the trace of the request, for a person
 */
public record RetryDecision(String key, String refusal, String detail) {

  /** The refusal of a request that the instance was lost by. */
  public static final String TO_BLAME = "to_blame";
}
