package dev.conveyor.scheduler.batching;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.RefusalReason;
import dev.conveyor.scheduler.InferenceRequest;
import org.jspecify.annotations.Nullable;

/**
 * When requests for one model must be answered, and what those are told that were not. Immutable.
 *
 * @param model what messages call it
 * @param objectiveNs from the arrival of a request to its answer; 0 for none
 */
record RequestDeadlines(String model, long objectiveNs) {

  /**
   * Returns when a request must be answered: when its client stops waiting or the model's objective
   * is over, whichever is earlier; {@link InferenceRequest#NO_DEADLINE} if there is neither.
   */
  long of(InferenceRequest request) {
    long ownNs = ownDeadlineNs(request);
    return objectiveNs > 0
        ? Lane.earlier(ownNs, Lane.after(request.arrivalNs(), objectiveNs))
        : ownNs;
  }

  /** Returns when the client stops waiting; its timeout is one only where there is an objective. */
  private long ownDeadlineNs(InferenceRequest request) {
    long timeoutNs =
        objectiveNs > 0 && request.timeoutMicros() > 0
            ? Lane.timeoutNs(request.timeoutMicros())
            : 0;
    return timeoutNs == 0
        ? request.deadlineNs()
        : Lane.earlier(request.deadlineNs(), Lane.after(request.arrivalNs(), timeoutNs));
  }

  /** Returns why a request failed that must have been answered by now. */
  InferenceException passed(InferenceRequest request, long nowNs) {
    return missed(request, nowNs, null);
  }

  /**
   * Returns why a request is refused that could be answered at {@code byNs} at the earliest. Its
   * time need not be over yet, which the reason tells: an ensemble whose objective is the deadline
   * of its steps knows by it that a step gave up for that.
   */
  InferenceException missed(InferenceRequest request, long byNs) {
    return missed(request, byNs, RefusalReason.DEADLINE);
  }

  private InferenceException missed(
      InferenceRequest request, long byNs, @Nullable RefusalReason reason) {
    long ownNs = ownDeadlineNs(request);
    return Lane.isPast(ownNs, byNs)
        ? new InferenceException(
            ErrorCode.DEADLINE_EXCEEDED,
            "Request deadline passed before it could run",
            reason,
            reason == null ? InferenceException.UNKNOWN : Math.max(1, byNs - ownNs))
        : objectiveMissed(byNs - of(request));
  }

  /** A request that would have been in time so much earlier: then is a time to come again. */
  private InferenceException objectiveMissed(long missNs) {
    return new InferenceException(
        ErrorCode.OVERLOADED,
        "Request for model '"
            + model
            + "' cannot meet the latency objective of "
            + objectiveNs / 1000
            + " us: the model is overloaded",
        RefusalReason.DEADLINE,
        Math.max(1, missNs));
  }

  InferenceException queueFull(int maxSize) {
    return new InferenceException(
        ErrorCode.QUEUE_FULL,
        "Request for model '" + model + "' exceeds maximum queue size " + maxSize,
        RefusalReason.QUEUE_FULL,
        InferenceException.UNKNOWN);
  }

  static InferenceException timedOut() {
    return new InferenceException(ErrorCode.DEADLINE_EXCEEDED, "Request timeout expired");
  }

  static InferenceException cancelled() {
    return new InferenceException(ErrorCode.CANCELLED, "Request was cancelled");
  }
}
