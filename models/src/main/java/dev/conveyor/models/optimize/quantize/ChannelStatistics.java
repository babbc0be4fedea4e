package dev.conveyor.models.optimize.quantize;

import dev.conveyor.models.Shape;

/**
 * Mean and largest magnitude of every channel, the second dimension, of one value. Not thread-safe:
 * owned by {@link Observations}.
 */
final class ChannelStatistics {

  private double[] sums = {};
  private float[] largest = {};
  private long count;

  /** Adds an item; values without a second dimension are passed over. */
  void add(Shape shape, float[] values) {
    int channels = shape.rank() < 2 ? 0 : (int) shape.dim(1);
    if (channels == 0 || values.length == 0 || (count > 0 && channels != sums.length)) {
      return;
    }
    if (count == 0) {
      sums = new double[channels];
      largest = new float[channels];
    }
    int inner = values.length / Math.toIntExact(shape.dim(0)) / channels;
    for (int i = 0; i < values.length; i++) {
      int channel = i / inner % channels;
      sums[channel] += values[i];
      largest[channel] = Math.max(largest[channel], Math.abs(values[i]));
    }
    count += values.length / channels;
  }

  double[] means() {
    double[] means = sums.clone();
    for (int c = 0; c < means.length; c++) {
      means[c] /= count;
    }
    return means;
  }

  float[] largest() {
    return largest.clone();
  }
}
