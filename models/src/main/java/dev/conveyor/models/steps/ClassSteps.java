package dev.conveyor.models.steps;

import dev.conveyor.models.DataType;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.function.BiConsumer;

/** Steps along the last dimension of scores, trailing dimensions of 1 not counted. Stateless. */
final class ClassSteps {

  private static final List<String> INPUT = List.of("x");
  private static final int MOST_RANK = 8;

  private ClassSteps() {}

  private static void require(TensorSpec x) {
    Specs.require(x, DataType.FP32, 1, MOST_RANK);
  }

  /** A step whose one result has the shape of what it reads. */
  private static Step sameShape(
      String output, DataType type, BiConsumer<Tensor, ByteBuffer> computation) {
    return new Step() {
      @Override
      public List<String> inputs() {
        return INPUT;
      }

      @Override
      public List<TensorSpec> outputs(List<TensorSpec> inputs) {
        require(inputs.get(0));
        return List.of(new TensorSpec(output, type, inputs.get(0).shape()));
      }

      @Override
      public List<Tensor> run(List<Tensor> inputs, StepResources resources) {
        Tensor x = inputs.get(0);
        Tensor y = resources.tensor(output, type, x.shape());
        computation.accept(x, y.data());
        return List.of(y);
      }
    };
  }

  /** {@code y = exp(x - max) / sum}; rows with a NaN are NaN. */
  static Step softmax() {
    return sameShape(
        "y",
        DataType.FP32,
        (x, y) -> {
          Shape rows = Specs.squeezed(x.shape());
          int row = Math.toIntExact(4 * rows.dim(rows.rank() - 1));
          for (int from = 0; row > 0 && from < y.limit(); from += row) {
            softmax(x.data(), y, from, from + row);
          }
        });
  }

  private static void softmax(ByteBuffer x, ByteBuffer y, int from, int to) {
    float max = Float.NEGATIVE_INFINITY;
    for (int i = from; i < to; i += 4) {
      max = Math.max(max, x.getFloat(i));
    }
    double sum = 0;
    for (int i = from; i < to; i += 4) {
      double power = Math.exp(x.getFloat(i) - max);
      y.putFloat(i, (float) power);
      sum += power;
    }
    for (int i = from; i < to; i += 4) {
      y.putFloat(i, (float) (y.getFloat(i) / sum));
    }
  }

  /** The largest {@code k} with their indices, the first of equals first, NaN last. */
  static Step topK(String values, String indices, int k) {
    return new Step() {
      @Override
      public List<String> inputs() {
        return INPUT;
      }

      @Override
      public List<TensorSpec> outputs(List<TensorSpec> inputs) {
        require(inputs.get(0));
        Shape shape = Specs.withLast(Specs.squeezed(inputs.get(0).shape()), k);
        return List.of(
            new TensorSpec(values, DataType.FP32, shape),
            new TensorSpec(indices, DataType.INT64, shape));
      }

      @Override
      public List<Tensor> run(List<Tensor> inputs, StepResources resources) {
        Tensor x = inputs.get(0);
        Shape rowsOf = Specs.squeezed(x.shape());
        int width = (int) rowsOf.dim(rowsOf.rank() - 1);
        if (width < k) {
          throw InferenceException.invalid(
              "the largest %d of %d values were asked for".formatted(k, width));
        }
        Shape shape = Specs.withLast(rowsOf, k);
        Tensor best = resources.tensor(values, DataType.FP32, shape);
        Tensor where = resources.tensor(indices, DataType.INT64, shape);
        int rows = best.sizeBytes() / 4 / k;
        for (int row = 0; row < rows; row++) {
          topK(x.data(), row * width, width, best.data(), where.data(), row * k, k);
        }
        return List.of(best, where);
      }
    };
  }

  /** Insertion into the best so far: k is small, and most values are below the worst of them. */
  private static void topK(
      ByteBuffer x, int first, int width, ByteBuffer best, ByteBuffer where, int at, int k) {
    int held = 0;
    for (int i = 0; i < width; i++) {
      float value = x.getFloat(4 * (first + i));
      if (held == k && !above(value, best.getFloat(4 * (at + k - 1)))) {
        continue;
      }
      int to = held < k ? held++ : k - 1;
      while (to > 0 && above(value, best.getFloat(4 * (at + to - 1)))) {
        best.putFloat(4 * (at + to), best.getFloat(4 * (at + to - 1)));
        where.putLong(8 * (at + to), where.getLong(8 * (at + to - 1)));
        to--;
      }
      best.putFloat(4 * (at + to), value);
      where.putLong(8 * (at + to), i);
    }
  }

  private static boolean above(float a, float b) {
    return a > b || (Float.isNaN(b) && !Float.isNaN(a));
  }

  /** 1 where a value is at least {@code at}, else 0; 0 for NaN. */
  static Step threshold(float at) {
    return sameShape(
        "mask",
        DataType.UINT8,
        (x, mask) -> {
          for (int i = 0; i < mask.limit(); i++) {
            mask.put(i, (byte) (x.data().getFloat(4 * i) >= at ? 1 : 0));
          }
        });
  }
}
