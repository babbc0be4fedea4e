package dev.conveyor.verticles.metrics;

import java.util.OptionalDouble;

/** A distribution of durations as it was at one moment. Immutable. */
public final class LatencySnapshot {

  public static final LatencySnapshot EMPTY =
      new LatencySnapshot(new long[LatencyBuckets.fineCount()], 0);

  private final long[] counts;
  private final long count;
  private final long sumNs;

  /** Takes ownership of {@code counts}, by fine bucket. */
  LatencySnapshot(long[] counts, long sumNs) {
    this.counts = counts;
    this.sumNs = sumNs;
    long total = 0;
    for (long c : counts) {
      total += c;
    }
    this.count = total;
  }

  public long count() {
    return count;
  }

  public long sumNs() {
    return sumNs;
  }

  /** Returns how many durations were in one coarse bucket, {@code boundCount()} being the last. */
  long inBucket(int bound) {
    int from = bound * LatencyBuckets.PARTS;
    int to = Math.min(from + LatencyBuckets.PARTS, counts.length);
    long n = 0;
    for (int i = from; i < to; i++) {
      n += counts[i];
    }
    return n;
  }

  /**
   * Estimates a quantile, by a straight line within the bucket that holds it; a duration beyond the
   * last bound counts as the last bound.
   *
   * @param q within 0 and 1
   * @return empty if nothing was recorded
   */
  public OptionalDouble quantileNs(double q) {
    if (count == 0) {
      return OptionalDouble.empty();
    }
    double rank = q * count;
    long below = 0;
    for (int i = 0; i < counts.length; i++) {
      if (counts[i] > 0 && below + counts[i] >= rank) {
        double lowerNs = LatencyBuckets.fineLowerNs(i);
        double upperNs = i == counts.length - 1 ? lowerNs : LatencyBuckets.fineLowerNs(i + 1);
        return OptionalDouble.of(lowerNs + (upperNs - lowerNs) * (rank - below) / counts[i]);
      }
      below += counts[i];
    }
    throw new IllegalStateException("rank " + rank + " of " + count);
  }

  /** Returns what was recorded after {@code earlier}, a snapshot of the same histogram. */
  public LatencySnapshot since(LatencySnapshot earlier) {
    long[] difference = new long[counts.length];
    for (int i = 0; i < difference.length; i++) {
      difference[i] = counts[i] - earlier.counts[i];
    }
    return new LatencySnapshot(difference, sumNs - earlier.sumNs);
  }
}
