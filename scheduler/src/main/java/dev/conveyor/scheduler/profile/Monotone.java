package dev.conveyor.scheduler.profile;

import java.util.Arrays;

/**
 * Weighted isotonic regression: the non-decreasing values closest to those given, by least squares
 * (pool adjacent violators; Ayer et al. 1955).
 *
 * <p>Not thread-safe: owned by its {@link CostTable}. Linear time; allocates only to grow.
 */
final class Monotone {

  private static final int INITIAL = 16;

  private int[] positions = new int[INITIAL];
  private int[] firstOf = new int[INITIAL];
  private double[] values = new double[INITIAL];
  private double[] weights = new double[INITIAL];
  private int points;
  private int blocks;

  void clear() {
    points = 0;
    blocks = 0;
  }

  /** Adds a value; positions ascend. */
  void add(int position, double value, double weight) {
    if (points == positions.length) {
      positions = Arrays.copyOf(positions, 2 * points);
      firstOf = Arrays.copyOf(firstOf, 2 * points);
      values = Arrays.copyOf(values, 2 * points);
      weights = Arrays.copyOf(weights, 2 * points);
    }
    positions[points] = position;
    values[blocks] = value;
    weights[blocks] = weight;
    // First point of the new block; a merged block keeps the first of its first.
    firstOf[blocks] = points;
    points++;
    blocks++;
    while (blocks > 1 && values[blocks - 2] > values[blocks - 1]) {
      double sum = weights[blocks - 2] + weights[blocks - 1];
      values[blocks - 2] =
          (values[blocks - 2] * weights[blocks - 2] + values[blocks - 1] * weights[blocks - 1])
              / sum;
      weights[blocks - 2] = sum;
      blocks--;
    }
  }

  /** Writes the values to their positions. */
  void fill(double[] target) {
    for (int block = 0; block < blocks; block++) {
      int end = block + 1 < blocks ? firstOf[block + 1] : points;
      for (int point = firstOf[block]; point < end; point++) {
        target[positions[point]] = values[block];
      }
    }
  }
}
