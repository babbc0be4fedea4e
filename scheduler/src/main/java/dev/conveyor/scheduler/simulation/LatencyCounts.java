package dev.conveyor.scheduler.simulation;

/**
 * How many requests took how long, in steps of 1/16 of a doubling.
 *
 * <p>Not thread-safe: owned by the run that fills it.
 */
public final class LatencyCounts {

  private static final int STEPS = 16;

  private final long[] counts = new long[64 * STEPS];
  private long total;

  void record(long ns) {
    counts[bucket(Math.max(1, ns))]++;
    total++;
  }

  /** Returns the latency that this percentage of requests did not exceed; 0 without requests. */
  public double percentileNs(double percent) {
    long rank = Math.max(1, (long) Math.ceil(total * percent / 100));
    long seen = 0;
    for (int i = 0; i < counts.length; i++) {
      seen += counts[i];
      if (seen >= rank) {
        return upperNs(i);
      }
    }
    return 0;
  }

  private static int bucket(long ns) {
    int doubling = 63 - Long.numberOfLeadingZeros(ns);
    long within = doubling >= 4 ? (ns >>> (doubling - 4)) & 15 : (ns << (4 - doubling)) & 15;
    return doubling * STEPS + (int) within;
  }

  private static double upperNs(int bucket) {
    return Math.scalb(1 + (bucket % STEPS + 1) / (double) STEPS, bucket / STEPS);
  }
}
