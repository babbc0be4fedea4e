package dev.conveyor.verticles;

import dev.conveyor.scheduler.InferenceRequest;
import dev.conveyor.scheduler.admission.ModelLoad;
import dev.conveyor.scheduler.admission.PriorityLevels;
import org.jspecify.annotations.Nullable;

/**
 * What is known of a request when it comes to the {@link FrontDoor}. Immutable.
 *
 * @param tenant who asks; null if it is not known yet
 * @param bytes of its tensors, at least; 0 if they are not known yet
 * @param deadlineNs {@link System#nanoTime} at which the client stops waiting, or {@link
 *     InferenceRequest#NO_DEADLINE}
 * @param priority level, 1 the highest; 0 for the model's default; {@link PriorityLevels#UNKNOWN}
 *     if it is not known yet
 * @param timeoutMicros the {@code timeout} parameter; 0 for none, or if it is not known yet
 */
public record DoorTerms(
    @Nullable String tenant, long bytes, long deadlineNs, int priority, long timeoutMicros) {

  /** What headers say, where priority and timeout are in the body. */
  public DoorTerms(@Nullable String tenant, long bytes, long deadlineNs) {
    this(tenant, bytes, deadlineNs, PriorityLevels.UNKNOWN, 0);
  }

  /** Returns by when the request is to be answered; of its timeout see {@link #untilNs}. */
  long untilNs(ModelLoad load, long arrivalNs) {
    return untilNs(load, deadlineNs, timeoutMicros, arrivalNs);
  }

  /**
   * Returns by when a request is to be answered, but for the model's objective. As in the queue,
   * the {@code timeout} is a deadline of a model with an objective, and otherwise not.
   */
  static long untilNs(ModelLoad load, long deadlineNs, long timeoutMicros, long arrivalNs) {
    return load.objectiveNs() == 0
        ? deadlineNs
        : InferenceRequest.earlierNs(deadlineNs, ColdDeadline.after(arrivalNs, timeoutMicros));
  }
}
