package dev.conveyor.verticles.chaos;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.conveyor.verticles.chaos.Answer.Outcome;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.HdrHistogram.Histogram;

/** What became of the requests of one window, or of several that belong together. Thread-safe. */
final class Tally {

  private static final int MOST_SURPRISES = 5;
  private static final double TAIL = 99;

  @GuardedBy("this")
  private final List<String> surprises = new ArrayList<>();

  @GuardedBy("this")
  private final Map<Outcome, Long> counts = new EnumMap<>(Outcome.class);

  @GuardedBy("this")
  private final Histogram untouchedNs = new Histogram(3);

  @GuardedBy("this")
  private final Histogram stallsNs = new Histogram(3);

  @GuardedBy("this")
  private long othersFailed;

  @GuardedBy("this")
  private long skipped;

  @GuardedBy("this")
  private long underWay;

  /** Takes note that a request is sent that will be {@link #end ended}. */
  synchronized void begin() {
    underWay++;
  }

  /** Takes note that a request that was begun is answered and counted. */
  synchronized void end() {
    underWay--;
    if (underWay == 0) {
      notifyAll();
    }
  }

  /** Waits until every request that was begun is answered, but no longer than this. */
  synchronized void settle(long mostMs) throws InterruptedException {
    long endNs = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(mostMs);
    long leftNs = endNs - System.nanoTime();
    while (underWay > 0 && leftNs > 0) {
      TimeUnit.NANOSECONDS.timedWait(this, leftNs);
      leftNs = endNs - System.nanoTime();
    }
  }

  /**
   * Counts one answer.
   *
   * @param untouched whether its model is one that the fault does not concern
   */
  synchronized void count(Answer answer, boolean untouched, long latencyNs) {
    Outcome outcome = answer.outcome();
    if (!answer.detail().isEmpty() && surprises.size() < MOST_SURPRISES) {
      surprises.add(answer.detail());
    }
    counts.merge(outcome, 1L, Long::sum);
    if (untouched) {
      untouchedNs.recordValue(Math.max(1, latencyNs));
      othersFailed += outcome == Outcome.RIGHT ? 0 : 1;
    }
  }

  /** Takes note of something else that should not have been. */
  synchronized void surprise(String what) {
    surprises.add(what);
  }

  /** Counts requests that were due and not sent. */
  synchronized void skip(long requests) {
    skipped += requests;
  }

  /** Counts how late the client was; what it missed meanwhile counts as well. */
  synchronized void stalled(long lateNs) {
    stallsNs.recordValueWithExpectedInterval(Math.max(1, lateNs), HiccupMeter.PERIOD_NS);
  }

  synchronized long get(Outcome outcome) {
    return counts.getOrDefault(outcome, 0L);
  }

  synchronized long sent() {
    return counts.values().stream().mapToLong(Long::longValue).sum();
  }

  synchronized long skipped() {
    return skipped;
  }

  /** Returns what was wrong with the first answers that should not have been. */
  synchronized List<String> surprises() {
    return List.copyOf(surprises);
  }

  /** Returns requests to untouched models that were not answered right. */
  synchronized long othersFailed() {
    return othersFailed;
  }

  /** Returns the 99th percentile of the untouched models. */
  synchronized double untouchedP99Ms() {
    return untouchedNs.getValueAtPercentile(TAIL) / 1e6;
  }

  /** Returns the 99th percentile of how late the client itself was. */
  synchronized double stalledP99Ms() {
    return stallsNs.getValueAtPercentile(TAIL) / 1e6;
  }
}
