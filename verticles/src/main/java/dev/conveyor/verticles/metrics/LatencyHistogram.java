package dev.conveyor.verticles.metrics;

import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.atomic.LongAdder;

/**
 * Counts durations by size. Thread-safe; recording takes no lock and allocates nothing.
 *
 * <p>Counts only grow: what happened in a span of time is the difference of two snapshots ({@link
 * LatencySnapshot#since}), so nothing is ever reset under a writer.
 */
final class LatencyHistogram {

  private final AtomicLongArray counts = new AtomicLongArray(LatencyBuckets.fineCount());
  private final LongAdder sumNs = new LongAdder();

  /** Records one duration; a negative one counts as zero. */
  void record(long durationNs) {
    counts.getAndIncrement(LatencyBuckets.fineIndex(durationNs));
    sumNs.add(Math.max(0, durationNs));
  }

  /**
   * Copies the counts. A duration recorded meanwhile may be in the sum and not in the counts or the
   * other way round; the counts agree with their own total.
   */
  LatencySnapshot snapshot() {
    long[] copy = new long[counts.length()];
    for (int i = 0; i < copy.length; i++) {
      copy[i] = counts.get(i);
    }
    return new LatencySnapshot(copy, sumNs.sum());
  }
}
