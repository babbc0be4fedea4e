package dev.conveyor.verticles;

/**
 * A request that wants a model that is not in memory.
 *
 * @param priority level, 1 the highest; 0 takes the model's default
 * @param inputBytes of its tensors, 0 if they are not here
 * @param deadlineNs {@link System#nanoTime} at which it ends, or {@link
 *     dev.conveyor.scheduler.InferenceRequest#NO_DEADLINE}
 */
public record ColdRequest(int priority, long inputBytes, long deadlineNs) {}
