package dev.conveyor.scheduler;

/**
 * Tells the supervisor, at {@link Addresses#LOST}, that an instance gets no more batches.
 *
 * @param key {@link ModelPlan#key} of its model
 * @param cause what happened to it
 * @param detail for a person
 */
public record InstanceLost(String key, int index, Cause cause, String detail) {

  /** How it was lost. */
  public enum Cause {
    /** It said itself that it can run no more. */
    SICK,
    /** An execution took longer than any should; its thread may still be in it. */
    HUNG,
    /** Nobody took the batch. */
    GONE
  }
}
