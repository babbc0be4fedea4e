package dev.conveyor.scheduler.profile;

import java.util.Arrays;

/**
 * What runs lately took relative to the first ones of their sizes, and by how much sizes that did
 * not run are to be believed faster because of it.
 *
 * <p>All runs are compared to the first of their sizes, so that costs that go up and down do not
 * reduce a size more each time.
 *
 * <p>Not thread-safe: owned by its {@link CostTable}. Sizes are those of {@link SizeBuckets}.
 */
final class SpeedIndex {

  private final RecentMedian recent = new RecentMedian();
  private double[] firstNs = new double[1];
  private boolean[] hasFirst = new boolean[1];
  private double[] then = new double[1];
  private double[] reducedTo = new double[1];

  void grow(int length) {
    firstNs = Arrays.copyOf(firstNs, length);
    hasFirst = Arrays.copyOf(hasFirst, length);
    then = Arrays.copyOf(then, length);
    reducedTo = Arrays.copyOf(reducedTo, length);
  }

  /** Takes note of a run, before its size is {@link #seen}. */
  void ran(int bucket, double ns) {
    if (firstNs[bucket] > 0) {
      recent.add(Math.max(1, ns) / firstNs[bucket]);
    }
  }

  /** Takes note of the median of a size that has got a sample. */
  void seen(int bucket, double medianNs) {
    then[bucket] = recent.value();
    reducedTo[bucket] = 1;
    if (!hasFirst[bucket]) {
      firstNs[bucket] = Math.max(1, medianNs);
    }
  }

  /** From now on other runs are compared to what was seen of this size so far. */
  void settle(int bucket) {
    hasFirst[bucket] = true;
  }

  /**
   * Returns by what the samples of a size that has not run lately are to be multiplied, so that it
   * has become as much faster as all that ran since it did; it never becomes slower than it was.
   */
  double reduce(int bucket) {
    double reduced = Math.min(1, recent.value() / then[bucket]);
    double factor = reduced / reducedTo[bucket];
    reducedTo[bucket] = reduced;
    return factor;
  }
}
