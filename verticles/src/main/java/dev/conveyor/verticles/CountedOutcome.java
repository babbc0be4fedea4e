package dev.conveyor.verticles;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.RefusalReason;
import dev.conveyor.scheduler.InferenceResponse;
import dev.conveyor.scheduler.ReplyTo;
import dev.conveyor.verticles.metrics.ModelStats;
import org.jspecify.annotations.Nullable;

/**
 * Counts a request that failed, wherever that was, once, then tells whoever asked. Those that
 * succeeded are counted where they ran; those that never came in, by the {@link FrontDoor}.
 *
 * <p>Thread-confined: the context of the request.
 */
final class CountedOutcome implements ReplyTo.Handler {

  private final ModelStats stats;
  private final long arrivalNs;
  private final ReplyTo.Handler next;

  CountedOutcome(ModelStats stats, long arrivalNs, ReplyTo.Handler next) {
    this.stats = stats;
    this.arrivalNs = arrivalNs;
    this.next = next;
  }

  @Override
  public void handle(@Nullable InferenceResponse response, @Nullable InferenceException failure) {
    if (failure != null) {
      count(failure);
    }
    next.handle(response, failure);
  }

  private void count(InferenceException failure) {
    stats.onFailure(reason(failure.code()), System.nanoTime() - arrivalNs);
    RefusalReason reason = failure.reason();
    if (reason != null) {
      stats.onRefused(reason);
    }
  }

  private static ModelStats.Reason reason(ErrorCode code) {
    // No default: adding an ErrorCode must break this build.
    return switch (code) {
      case INVALID_REQUEST,
          NOT_FOUND,
          TOO_LARGE,
          QUEUE_FULL,
          DEADLINE_EXCEEDED,
          UNSUPPORTED,
          OVERLOADED,
          OVER_QUOTA,
          BODY_TIMEOUT,
          ALREADY_EXISTS ->
          ModelStats.Reason.REJECTED;
      case CANCELLED -> ModelStats.Reason.CANCELED;
      case EXECUTION_FAILED, OUT_OF_MEMORY -> ModelStats.Reason.BACKEND;
      case UNAVAILABLE, SHUTTING_DOWN -> ModelStats.Reason.OTHER;
    };
  }
}
