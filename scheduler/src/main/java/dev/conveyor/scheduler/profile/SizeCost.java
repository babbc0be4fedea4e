package dev.conveyor.scheduler.profile;

/**
 * What batches of one size took: weighted mean and recent maximum.
 *
 * <p>Not thread-safe: owned by its {@link CostProfile}.
 */
final class SizeCost {

  private static final int WARM_UP_RUNS = 2;
  private static final int WINDOW = 32;
  private static final double NEWEST = 1.0 / 8;

  private final long[] windowNs = new long[WINDOW];
  private long runs;
  private double meanNs;
  private long maxNs;

  /** Returns false if the sample was left out. */
  boolean record(long ns) {
    long sample = runs++ - WARM_UP_RUNS;
    if (sample < 0) {
      return false;
    }
    meanNs = sample == 0 ? (double) ns : meanNs + NEWEST * (ns - meanNs);
    int slot = (int) (sample % WINDOW);
    long evictedNs = windowNs[slot];
    windowNs[slot] = ns;
    if (ns >= maxNs) {
      maxNs = ns;
    } else if (evictedNs == maxNs) {
      maxNs = largest();
    }
    return true;
  }

  boolean isKnown() {
    return runs > WARM_UP_RUNS;
  }

  double ns(boolean tail) {
    return tail ? Math.max((double) maxNs, meanNs) : meanNs;
  }

  private long largest() {
    long largest = 0;
    for (long ns : windowNs) {
      largest = Math.max(largest, ns);
    }
    return largest;
  }
}
