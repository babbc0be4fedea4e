package dev.conveyor.verticles.cli.gpucheck;

import dev.conveyor.models.Tensor;
import dev.conveyor.models.backend.BatchResult;
import dev.conveyor.models.backend.ModelExecutor;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.List;

/** Single-precision outputs, one array per item, and how far they are apart. Stateless. */
final class Answers {

  private Answers() {}

  /** Runs all items, in batches of up to {@code batch}. */
  static List<float[]> of(ModelExecutor executor, List<Item> items, int batch) {
    List<float[]> answers = new ArrayList<>();
    for (int from = 0; from < items.size(); from += batch) {
      List<Item> some = items.subList(from, Math.min(items.size(), from + batch));
      BatchResult result = executor.execute(some);
      for (List<Tensor> outputs : result.outputs()) {
        answers.add(floats(outputs));
      }
      result.discard();
    }
    return answers;
  }

  /** Returns the values of all outputs behind each other. */
  static float[] floats(List<Tensor> outputs) {
    int length = outputs.stream().mapToInt(output -> output.sizeBytes() / Float.BYTES).sum();
    float[] all = new float[length];
    int at = 0;
    for (Tensor output : outputs) {
      FloatBuffer values = output.data().asFloatBuffer();
      int count = output.sizeBytes() / Float.BYTES;
      values.get(0, all, at, count);
      at += count;
    }
    return all;
  }

  /**
   * Returns the largest difference, relative to the largest value that was expected of any item;
   * infinite if the lengths differ or a value is no number.
   */
  static double worstDifference(List<float[]> expected, List<float[]> found) {
    if (expected.size() != found.size()) {
      return Double.POSITIVE_INFINITY;
    }
    double scale = 0;
    double worst = 0;
    for (int i = 0; i < expected.size(); i++) {
      float[] wanted = expected.get(i);
      float[] got = found.get(i);
      if (wanted.length != got.length) {
        return Double.POSITIVE_INFINITY;
      }
      for (int v = 0; v < wanted.length; v++) {
        scale = Math.max(scale, Math.abs(wanted[v]));
        double difference = Math.abs((double) wanted[v] - got[v]);
        worst = Double.isNaN(difference) ? Double.POSITIVE_INFINITY : Math.max(worst, difference);
      }
    }
    return scale == 0 ? worst : worst / scale;
  }
}
