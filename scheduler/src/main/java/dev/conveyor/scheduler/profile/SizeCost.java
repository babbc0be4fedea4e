package dev.conveyor.scheduler.profile;

/**
 * What batches of one size took: the last 64 runs, and whether they changed.
 *
 * <p>Not thread-safe: owned by its {@link CostTable}.
 *
 * <p>64 is the smallest power of two whose maximum is exceeded by fewer than 2 % of the runs that
 * follow (1 in 65 if they are alike).
 */
final class SizeCost {

  static final int WINDOW = 64;

  /** Runs that pay for tuning, growing pools and cold caches. */
  private static final int WARM_UP_RUNS = 2;

  /** A run so many times the median is out of the ordinary. */
  private static final double UNUSUAL = 1.3;

  /** More than so many times the median is not the cost of the batch, but of a stall beside it. */
  static final double OUTLIER = 4;

  /** So many slow runs on end are a change; late answers make that urgent. */
  private static final int SLOWER_RUNS = 3;

  /** So many more fast runs than others; to believe a gain takes longer than to believe a loss. */
  static final int FASTER_RUNS = 8;

  final SampleRing ring = new SampleRing(WINDOW);

  private int skipped;
  private int slower;
  private int faster;

  /** Returns true for the first runs of a size, which say little about those that follow. */
  boolean skips() {
    return skipped < WARM_UP_RUNS && skipped++ < WARM_UP_RUNS;
  }

  /** Says that the first runs were made elsewhere. */
  void warm() {
    skipped = WARM_UP_RUNS;
  }

  boolean isKnown() {
    return ring.count() > 0;
  }

  /** Takes a sample; returns true if it showed that the cost has changed. */
  boolean record(double ns) {
    double median = isKnown() ? ring.median() : ns;
    slower = ns > UNUSUAL * median ? slower + 1 : 0;
    // One outlier does not disprove a gain; it only takes back one run.
    faster = ns * UNUSUAL < median ? faster + 1 : Math.max(0, faster - 1);
    ring.add(Math.min(ns, OUTLIER * median));
    int keep = slower == SLOWER_RUNS ? SLOWER_RUNS : faster == FASTER_RUNS ? FASTER_RUNS : 0;
    if (keep == 0) {
      return false;
    }
    slower = 0;
    faster = 0;
    boolean forgets = ring.count() > keep;
    ring.keepNewest(keep);
    return forgets;
  }
}
