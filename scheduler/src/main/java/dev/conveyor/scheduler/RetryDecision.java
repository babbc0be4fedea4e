package dev.conveyor.scheduler;

/**
 * Published at {@link Addresses#RETRIES}: whether a request of a lost instance runs again.
 *
 * @param key {@link ModelPlan#key} of its model
 * @param refusal why it does not, in one word; empty if it does
 */
public record RetryDecision(String key, String refusal) {}
