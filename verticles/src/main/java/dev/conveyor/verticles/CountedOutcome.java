package dev.conveyor.verticles;

import dev.conveyor.models.InferenceException;
import dev.conveyor.models.RefusalReason;
import dev.conveyor.scheduler.InferenceResponse;
import dev.conveyor.scheduler.ReplyTo;
import dev.conveyor.verticles.metrics.ModelStats;
import org.jspecify.annotations.Nullable;

/**
 * Counts requests that the scheduler turned away or whose clients gave up, then tells whoever
 * asked. What ran, well or not, is counted by the instance; what never got that far, by the
 * gateway.
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
    long tookNs = System.nanoTime() - arrivalNs;
    switch (failure.code()) {
      case QUEUE_FULL, OVERLOADED, OVER_QUOTA, DEADLINE_EXCEEDED -> {
        stats.onFailure(ModelStats.Reason.REJECTED, tookNs);
        RefusalReason reason = failure.reason();
        if (reason != null) {
          stats.onRefused(reason);
        }
      }
      case CANCELLED -> stats.onFailure(ModelStats.Reason.CANCELED, tookNs);
      default -> {}
    }
  }
}
