package dev.conveyor.verticles.feed;

import org.HdrHistogram.Histogram;
import org.jspecify.annotations.Nullable;

/**
 * What a feed came to, all streams together. {@code sent = answered + dropped + failed +
 * unanswered}.
 *
 * @param sent frames that went out
 * @param skipped frames that were due while their connection took nothing, and were never sent
 * @param answered with a result
 * @param dropped by the server, which said so
 * @param failed with an error
 * @param unanswered frames that the server never said anything about
 * @param strays answers to no frame, or second ones
 * @param orderViolations answers that came after that of a later frame of their stream
 * @param latencyNs from when a frame was due to its answer, of those answered
 * @param seconds from the first frame to the last answer
 * @param firstFailure what went wrong first; null if nothing did
 */
public record FeedResult(
    long sent,
    long skipped,
    long answered,
    long dropped,
    long failed,
    long unanswered,
    long strays,
    long orderViolations,
    Histogram latencyNs,
    double seconds,
    @Nullable String firstFailure) {

  /** Returns true if every frame has one outcome and every answer is in its place. */
  public boolean addsUp() {
    return unanswered == 0
        && strays == 0
        && orderViolations == 0
        && sent == answered + dropped + failed;
  }

  public double latencyMs(double percentile) {
    return latencyNs.getValueAtPercentile(percentile) / 1e6;
  }

  /** Sums up streams. Not thread-safe. */
  static final class Builder {
    long sent;
    long skipped;
    long answered;
    long dropped;
    long failed;
    long unanswered;
    long strays;
    long orderViolations;
    final Histogram latencyNs = new Histogram(3);
    @Nullable String firstFailure;

    FeedResult build(double seconds) {
      return new FeedResult(
          sent,
          skipped,
          answered,
          dropped,
          failed,
          unanswered,
          strays,
          orderViolations,
          latencyNs,
          seconds,
          firstFailure);
    }
  }
}
