package dev.conveyor.scheduler.profile;

import java.util.Arrays;

/**
 * The median of the last five values: two that are out of the ordinary change nothing, three do.
 *
 * <p>Not thread-safe.
 */
final class RecentMedian {

  private static final int WINDOW = 5;

  private final double[] values = new double[WINDOW];
  private final double[] sorted = new double[WINDOW];
  private int count;
  private int next;
  private double median = 1;

  void add(double value) {
    values[next] = value;
    next = (next + 1) % WINDOW;
    count = Math.min(WINDOW, count + 1);
    if (count == WINDOW) {
      System.arraycopy(values, 0, sorted, 0, WINDOW);
      Arrays.sort(sorted);
      median = sorted[WINDOW / 2];
    }
  }

  /** Returns the median, or 1 until there are five. */
  double value() {
    return median;
  }

  void clear() {
    count = 0;
    next = 0;
    median = 1;
  }
}
