package dev.conveyor.verticles.feed;

import java.util.HashMap;
import java.util.Map;
import org.HdrHistogram.Histogram;
import org.jspecify.annotations.Nullable;

/**
 * What became of the frames of one stream.
 *
 * <p>Not thread-safe: owned by the event loop of the stream. Times are passed in, in nanoseconds of
 * one clock.
 *
 * <p>Invariant: {@code sent = answered + dropped + failed + unanswered}. An answer to a frame that
 * nothing is known of, or that has another outcome already, counts as stray, not as an answer.
 */
final class StreamTally {

  private final Map<Long, Long> dueNs = new HashMap<>();
  private final Histogram latencyNs = new Histogram(3);
  private long sent;
  private long skipped;
  private long answered;
  private long dropped;
  private long failed;
  private long strays;
  private long orderViolations;
  private long latestAnswered = -1;
  private @Nullable String firstFailure;

  /**
   * A frame goes out; returns its number, from 0.
   *
   * @param due when it was due, which latencies count from
   */
  long send(long due) {
    dueNs.put(sent, due);
    return sent++;
  }

  /** A frame was due while its connection took nothing. */
  void skip() {
    skipped++;
  }

  void answer(long number, long nowNs) {
    Long due = dueNs.remove(number);
    if (due == null) {
      strays++;
      return;
    }
    answered++;
    latencyNs.recordValue(Math.max(0, nowNs - due));
    if (number < latestAnswered) {
      orderViolations++;
    }
    latestAnswered = Math.max(latestAnswered, number);
  }

  void drop(long number) {
    if (dueNs.remove(number) == null) {
      strays++;
    } else {
      dropped++;
    }
  }

  void fail(long number, String message) {
    if (dueNs.remove(number) == null) {
      strays++;
    } else {
      failed++;
    }
    note(message);
  }

  /** Keeps the first thing that went wrong. */
  void note(String message) {
    if (firstFailure == null) {
      firstFailure = message;
    }
  }

  void addTo(FeedResult.Builder all) {
    all.sent += sent;
    all.skipped += skipped;
    all.answered += answered;
    all.dropped += dropped;
    all.failed += failed;
    all.unanswered += dueNs.size();
    all.strays += strays;
    all.orderViolations += orderViolations;
    all.latencyNs.add(latencyNs);
    if (all.firstFailure == null) {
      all.firstFailure = firstFailure;
    }
  }
}
