package dev.conveyor.scheduler.profile;

import java.util.Arrays;

/**
 * The last samples of something, at any time in order of size as well as of arrival, so that a
 * quantile is one look.
 *
 * <p>Not thread-safe: owned by its {@link SizeCost}. Grows to its capacity and allocates nothing
 * after.
 */
final class SampleRing {

  private static final int INITIAL = 8;

  private final int capacity;
  private double[] arrived = new double[INITIAL];
  private double[] sorted = new double[INITIAL];
  private int count;
  private int next;

  SampleRing(int capacity) {
    this.capacity = capacity;
  }

  int count() {
    return count;
  }

  void add(double value) {
    if (count == capacity) {
      replace(arrived[next], value);
    } else {
      if (count == arrived.length) {
        int longer = Math.min(capacity, 2 * count);
        arrived = Arrays.copyOf(arrived, longer);
        sorted = Arrays.copyOf(sorted, longer);
      }
      int position = position(value);
      System.arraycopy(sorted, position, sorted, position + 1, count - position);
      sorted[position] = value;
      count++;
    }
    arrived[next] = value;
    next = next + 1 == capacity ? 0 : next + 1;
  }

  /** Puts a value into the place of another: only what is between the two moves. */
  private void replace(double old, double value) {
    int from = Arrays.binarySearch(sorted, 0, count, old);
    int to = position(value);
    if (to > from) {
      to--;
      System.arraycopy(sorted, from + 1, sorted, from, to - from);
    } else {
      System.arraycopy(sorted, to, sorted, to + 1, from - to);
    }
    sorted[to] = value;
  }

  private int position(double value) {
    int at = Arrays.binarySearch(sorted, 0, count, value);
    return at < 0 ? -at - 1 : at;
  }

  /** Returns the nearest-rank quantile: with less than 100 samples the largest is their p99. */
  double quantile(double q) {
    int rank = (int) Math.ceil(q * count) - 1;
    return sorted[Math.max(0, Math.min(count - 1, rank))];
  }

  /** Returns the middle sample, or the mean of the middle two. */
  double median() {
    int middle = count / 2;
    return count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  }

  /** Returns at most {@code n} samples, from the smallest to the largest, evenly apart. */
  double[] spread(int n) {
    double[] some = new double[Math.min(n, count)];
    for (int i = 0; i < some.length; i++) {
      some[i] = sorted[some.length == 1 ? 0 : (int) ((long) i * (count - 1) / (some.length - 1))];
    }
    return some;
  }

  /** Multiplies every sample. */
  void scale(double factor) {
    for (int i = 0; i < count; i++) {
      arrived[i] *= factor;
      sorted[i] *= factor;
    }
  }

  /** Forgets all but the newest {@code keep} samples. */
  void keepNewest(int keep) {
    double[] newest = new double[Math.min(keep, count)];
    for (int i = 0; i < newest.length; i++) {
      newest[i] = arrived[Math.floorMod(next - newest.length + i, capacity)];
    }
    count = 0;
    next = 0;
    for (double value : newest) {
      add(value);
    }
  }
}
