package dev.conveyor.models.optimize.evaluate;

import dev.conveyor.models.Tensor;
import dev.conveyor.models.optimize.graph.Weights;
import java.util.List;

/**
 * How far the answers of a model agree with those of another on the same data. Not thread-safe:
 * owned by whoever adds to it.
 */
public final class Agreement {

  private int items;
  private double cosineSum;
  private double cosineMin = 1;
  private double maxError;
  private double worstRelative;
  private double signal;
  private double noise;
  private int classified;
  private int sameClass;

  /** Adds the answers to one item, FP32 outputs only. */
  public void add(List<Tensor> reference, List<Tensor> candidate) {
    double dot = 0;
    double squareA = 0;
    double squareB = 0;
    for (int o = 0; o < reference.size(); o++) {
      float[] a = Values.of(reference.get(o));
      float[] b = Values.of(candidate.get(o));
      double largest = 0;
      double error = 0;
      for (int i = 0; i < a.length; i++) {
        dot += (double) a[i] * b[i];
        squareA += (double) a[i] * a[i];
        squareB += (double) b[i] * b[i];
        // A NaN must not pass for agreement.
        double difference = Float.isNaN(b[i]) ? Double.POSITIVE_INFINITY : Math.abs(a[i] - b[i]);
        noise += difference * difference;
        error = Math.max(error, difference);
        largest = Math.max(largest, Math.abs(a[i]));
      }
      maxError = Math.max(maxError, error);
      worstRelative = Math.max(worstRelative, largest > 0 ? error / largest : error);
      if (o == 0 && isScores(reference.get(o))) {
        classified++;
        sameClass += Values.largest(a) == Values.largest(b) ? 1 : 0;
      }
    }
    double norms = Math.sqrt(squareA) * Math.sqrt(squareB);
    double cosine = norms > 0 ? dot / norms : squareA == squareB ? 1 : 0;
    cosineSum += Double.isNaN(cosine) ? 0 : cosine;
    cosineMin = Math.min(cosineMin, Double.isNaN(cosine) ? -1 : cosine);
    signal += squareA;
    items++;
  }

  private static boolean isScores(Tensor tensor) {
    return tensor.shape().rank() == 2 && tensor.shape().dim(1) > 1;
  }

  /** Returns the mean over the items, 1 if there are none. */
  public double meanCosine() {
    return items == 0 ? 1 : cosineSum / items;
  }

  public double minCosine() {
    return cosineMin;
  }

  /** Returns the largest absolute difference of any number. */
  public double maxError() {
    return maxError;
  }

  /** Returns the largest difference in an output by the largest magnitude in that output. */
  public double worstRelativeError() {
    return worstRelative;
  }

  /** Returns the signal by the noise of all numbers, in dB; infinite if they are equal. */
  public double sqnrDb() {
    return noise == 0 ? Double.POSITIVE_INFINITY : 10 * Math.log10(signal / noise);
  }

  /** Returns the share with the same most likely class; NaN if these are no classifications. */
  public double sameClass() {
    return classified == 0 ? Double.NaN : (double) sameClass / classified;
  }

  /** Small helpers around numbers. */
  static final class Values {

    private Values() {}

    static float[] of(Tensor tensor) {
      return switch (tensor.type()) {
        case FP32 -> Weights.floats(tensor);
        case FP16 -> halfs(tensor);
        default -> new float[0];
      };
    }

    static int largest(float[] values) {
      int best = 0;
      for (int i = 1; i < values.length; i++) {
        if (values[i] > values[best]) {
          best = i;
        }
      }
      return best;
    }

    private static float[] halfs(Tensor tensor) {
      float[] values = new float[tensor.sizeBytes() / Short.BYTES];
      for (int i = 0; i < values.length; i++) {
        values[i] =
            dev.conveyor.models.optimize.precision.Float16.fromHalf(
                tensor.data().getShort(i * Short.BYTES));
      }
      return values;
    }
  }
}
