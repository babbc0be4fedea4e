package dev.conveyor.verticles.chaos;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.conveyor.verticles.chaos.Answer.Outcome;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import org.HdrHistogram.Histogram;

/** What became of the requests of one window. Thread-safe. */
final class Tally {

  private static final int MOST_SURPRISES = 5;

  @GuardedBy("this")
  private final List<String> surprises = new ArrayList<>();

  @GuardedBy("this")
  private final Map<Outcome, Long> counts = new EnumMap<>(Outcome.class);

  @GuardedBy("this")
  private final Histogram untouchedNs = new Histogram(3);

  @GuardedBy("this")
  private long othersFailed;

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

  synchronized long get(Outcome outcome) {
    return counts.getOrDefault(outcome, 0L);
  }

  synchronized long sent() {
    return counts.values().stream().mapToLong(Long::longValue).sum();
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
    return untouchedNs.getValueAtPercentile(99) / 1e6;
  }
}
