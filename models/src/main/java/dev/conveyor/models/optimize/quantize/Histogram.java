package dev.conveyor.models.optimize.quantize;

import java.util.Arrays;

/**
 * What was seen of one value: extremes, then counts in equal bins between {@code -limit} and {@code
 * limit}. Not thread-safe: owned by {@link Observations}.
 */
final class Histogram {

  private static final int HALF = 2048;
  private static final double KEPT = 0.9999;

  /** Levels that entropy fits: those of one sign. */
  private static final int LEVELS = 128;

  private float min = Float.POSITIVE_INFINITY;
  private float max = Float.NEGATIVE_INFINITY;
  private final long[] bins = new long[2 * HALF];
  private long count;

  /** Widens the extremes; returns false if there is a number that is none. */
  boolean widen(float[] values) {
    float low = min;
    float high = max;
    boolean finite = true;
    for (float value : values) {
      finite &= Math.abs(value) <= Float.MAX_VALUE;
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
    min = low;
    max = high;
    return finite;
  }

  /** Counts values whose extremes are known. */
  void count(float[] values) {
    float limit = limit();
    if (limit == 0) {
      return;
    }
    float scale = HALF / limit;
    for (float value : values) {
      int bin = (int) Math.floor(value * scale) + HALF;
      bins[Math.max(0, Math.min(bins.length - 1, bin))]++;
    }
    count += values.length;
  }

  float limit() {
    return Math.max(Math.abs(min), Math.abs(max));
  }

  Range range(Calibration method) {
    if (count == 0) {
      return new Range(min, max);
    }
    return switch (method) {
      case MINMAX -> new Range(min, max);
      case PERCENTILE -> percentile();
      case ENTROPY -> {
        float threshold = entropyThreshold();
        float low = Math.max(min, -threshold);
        float high = Math.min(max, threshold);
        yield new Range(low, high);
      }
    };
  }

  /** Cuts half of the outliers off each end. */
  private Range percentile() {
    double cut = count * (1 - KEPT) / 2;
    double width = limit() / HALF;
    long seen = 0;
    int low = 0;
    while (low < bins.length && seen + bins[low] <= cut) {
      seen += bins[low++];
    }
    seen = 0;
    int high = bins.length - 1;
    while (high > low && seen + bins[high] <= cut) {
      seen += bins[high--];
    }
    return new Range(
        (float) Math.max(min, (low - HALF) * width),
        (float) Math.min(max, (high + 1 - HALF) * width));
  }

  /**
   * Returns the magnitude at which clipped and quantised counts differ least from the counts, by
   * Kullback-Leibler divergence.
   */
  private float entropyThreshold() {
    long[] magnitudes = new long[HALF];
    for (int i = 0; i < HALF; i++) {
      magnitudes[i] = bins[HALF + i] + bins[HALF - 1 - i];
    }
    // Exact zeros, of which a ReLU makes many, are exact after quantisation too.
    magnitudes[0] = magnitudes[1];
    double best = Double.POSITIVE_INFINITY;
    int bestBins = HALF;
    for (int used = LEVELS; used <= HALF; used += 8) {
      double divergence = divergence(magnitudes, used);
      if (divergence < best) {
        best = divergence;
        bestBins = used;
      }
    }
    return limit() * bestBins / HALF;
  }

  private static double divergence(long[] counts, int used) {
    double[] reference = new double[used];
    double total = 0;
    for (int i = 0; i < counts.length; i++) {
      reference[Math.min(i, used - 1)] += counts[i];
      total += counts[i];
    }
    double[] quantised = new double[used];
    double quantisedTotal = 0;
    for (int level = 0; level < LEVELS; level++) {
      int from = (int) ((long) level * used / LEVELS);
      int to = (int) ((long) (level + 1) * used / LEVELS);
      double sum = 0;
      int occupied = 0;
      for (int i = from; i < to; i++) {
        sum += counts[i];
        occupied += reference[i] > 0 ? 1 : 0;
      }
      for (int i = from; i < to; i++) {
        quantised[i] = reference[i] > 0 ? sum / occupied : 0;
      }
      quantisedTotal += sum;
    }
    if (quantisedTotal == 0) {
      return Double.POSITIVE_INFINITY;
    }
    double divergence = 0;
    for (int i = 0; i < used; i++) {
      if (reference[i] > 0) {
        double p = reference[i] / total;
        double q = Math.max(quantised[i] / quantisedTotal, 1e-9);
        divergence += p * Math.log(p / q);
      }
    }
    return divergence;
  }

  @Override
  public String toString() {
    return "[%g, %g] of %d, busiest bin %d"
        .formatted(min, max, count, Arrays.stream(bins).max().orElse(0));
  }
}
