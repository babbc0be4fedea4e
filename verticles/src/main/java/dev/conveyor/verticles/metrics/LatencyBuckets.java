package dev.conveyor.verticles.metrics;

import java.math.BigDecimal;
import java.util.stream.IntStream;
import java.util.stream.LongStream;

/**
 * The bounds that all latency histograms share. Thread-safe: constants.
 *
 * <p>Two grids, one inside the other. The coarse one is the 1-2-5 series from 10 us to 60 s that
 * Prometheus sees; its bounds are inclusive, as {@code le} demands. Each coarse bucket is cut into
 * {@link #PARTS} equal parts, which is what quantiles are read from: a part is at most 15 % as wide
 * as the value it holds (above 10 us). One count recorded on the fine grid serves both.
 */
final class LatencyBuckets {

  static final int PARTS = 10;

  private static final long[] BOUNDS_NS = bounds();

  /** By the number of significant bits of a value: the first bound that can be at or above it. */
  private static final int[] FIRST_BOUND = firstBounds();

  private static final String[] LABELS =
      IntStream.range(0, BOUNDS_NS.length)
          .mapToObj(i -> BigDecimal.valueOf(BOUNDS_NS[i], 9).stripTrailingZeros().toPlainString())
          .toArray(String[]::new);

  private LatencyBuckets() {}

  /** Returns the number of coarse bounds; what is above the last is in one more bucket. */
  static int boundCount() {
    return BOUNDS_NS.length;
  }

  static long boundNs(int bound) {
    return BOUNDS_NS[bound];
  }

  /** Returns the bound in seconds, as written in the label {@code le}. */
  static String label(int bound) {
    return LABELS[bound];
  }

  /** Returns the number of fine buckets, the one above the last bound included. */
  static int fineCount() {
    return BOUNDS_NS.length * PARTS + 1;
  }

  /** Returns the fine bucket of a value; negative values count as zero. */
  static int fineIndex(long valueNs) {
    long ns = Math.max(0, valueNs);
    int bound = FIRST_BOUND[Long.SIZE - Long.numberOfLeadingZeros(ns)];
    while (bound < BOUNDS_NS.length && ns > BOUNDS_NS[bound]) {
      bound++;
    }
    if (bound == BOUNDS_NS.length) {
      return bound * PARTS;
    }
    long lowerNs = lowerNs(bound);
    long part = (ns - lowerNs - 1) * PARTS / (BOUNDS_NS[bound] - lowerNs);
    return bound * PARTS + (int) part;
  }

  /** Returns the exclusive lower end of a fine bucket. */
  static double fineLowerNs(int fine) {
    int bound = fine / PARTS;
    double lowerNs = lowerNs(bound);
    return bound == BOUNDS_NS.length
        ? lowerNs
        : lowerNs + (BOUNDS_NS[bound] - lowerNs) * (fine % PARTS) / PARTS;
  }

  private static long lowerNs(int bound) {
    return bound == 0 ? 0 : BOUNDS_NS[bound - 1];
  }

  private static long[] bounds() {
    LongStream.Builder bounds = LongStream.builder();
    for (long decadeNs = 10_000; decadeNs <= 1_000_000_000L; decadeNs *= 10) {
      bounds.add(decadeNs).add(2 * decadeNs).add(5 * decadeNs);
    }
    return bounds.add(10_000_000_000L).add(20_000_000_000L).add(60_000_000_000L).build().toArray();
  }

  private static int[] firstBounds() {
    int[] first = new int[Long.SIZE];
    for (int bits = 1; bits < Long.SIZE; bits++) {
      long smallest = 1L << (bits - 1);
      int bound = 0;
      while (bound < BOUNDS_NS.length && BOUNDS_NS[bound] < smallest) {
        bound++;
      }
      first[bits] = bound;
    }
    return first;
  }
}
