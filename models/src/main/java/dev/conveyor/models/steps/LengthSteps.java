package dev.conveyor.models.steps;

import dev.conveyor.models.DataType;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.config.ConfigException;
import java.util.Arrays;
import java.util.List;

/** Tensors of varying length. Stateless. */
final class LengthSteps {

  private LengthSteps() {}

  /** The first {@code count} rows of {@code x} [1, M, ...]: what is real of a padded list. */
  static Step take() {
    return new FunctionStep(
        List.of("x", "count"),
        specs -> {
          TensorSpec x = specs.get(0);
          Specs.require(specs.get(1), DataType.INT32, 1, 2);
          requireRows(x);
          return List.of(
              new TensorSpec("y", x.type(), x.shape().withoutFirst().withFirst(Shape.DYNAMIC)));
        },
        (tensors, resources) -> {
          Tensor x = tensors.get(0);
          Specs.requireRows(x, 1);
          Specs.requireRows(tensors.get(1), 1);
          int count = tensors.get(1).data().getInt(0);
          long rows = x.shape().dim(1);
          if (count < 0 || count > rows) {
            throw InferenceException.invalid(
                "count is %d, tensor 'x' has %d rows".formatted(count, rows));
          }
          Shape shape = x.shape().withoutFirst().withFirst(count);
          Tensor y = resources.tensor("y", x.type(), shape);
          y.data().put(0, x.data(), 0, y.sizeBytes());
          return List.of(y);
        });
  }

  /**
   * Brings {@code x} [N, L, ...] to the least of {@code lengths} that is long enough, filled up
   * with 0; {@code mask} [N, length] INT64 is 1 where {@code x} was.
   */
  static Step pad(StepSettings settings) {
    int[] lengths = lengths(settings);
    return new FunctionStep(
        List.of("x"),
        specs -> {
          TensorSpec x = specs.get(0);
          requireRows(x);
          long length = lengths.length == 1 ? lengths[0] : Shape.DYNAMIC;
          return List.of(
              new TensorSpec("x", x.type(), withLength(x.shape(), length)),
              new TensorSpec("mask", DataType.INT64, Shape.of(x.shape().dim(0), length)),
              new TensorSpec("length", DataType.INT32, Shape.of(x.shape().dim(0), 1)));
        },
        (tensors, resources) -> pad(tensors.get(0), lengths, resources));
  }

  private static List<Tensor> pad(Tensor x, int[] lengths, StepResources resources) {
    int rows = (int) x.shape().dim(0);
    int length = (int) x.shape().dim(1);
    int padded = Arrays.stream(lengths).filter(l -> l >= length).findFirst().orElse(-1);
    if (padded < 0) {
      throw InferenceException.invalid(
          "tensor 'x' has length %d, the largest of lengths is %d"
              .formatted(length, lengths[lengths.length - 1]));
    }
    Shape shape = withLength(x.shape(), padded);
    Tensor out = resources.tensor("x", x.type(), shape);
    Tensor mask = resources.tensor("mask", DataType.INT64, Shape.of(rows, padded));
    Tensor real = resources.tensor("length", DataType.INT32, Shape.of(rows, 1));
    for (int row = 0; row < rows; row++) {
      int bytes = x.sizeBytes() / rows;
      out.data().put(row * (out.sizeBytes() / rows), x.data(), row * bytes, bytes);
      real.data().putInt(4 * row, length);
      for (int i = 0; i < length; i++) {
        mask.data().putLong(8 * (row * padded + i), 1);
      }
    }
    return List.of(out, mask, real);
  }

  /** The inverse of {@link #pad}: {@code x} [N, length, ...] without what was filled up. */
  static Step unpad() {
    return new FunctionStep(
        List.of("x", "length"),
        specs -> {
          TensorSpec x = specs.get(0);
          requireRows(x);
          Specs.require(specs.get(1), DataType.INT32, 2, 2);
          Specs.requireLast(specs.get(1), 1);
          return List.of(new TensorSpec("x", x.type(), withLength(x.shape(), Shape.DYNAMIC)));
        },
        (tensors, resources) -> unpad(tensors.get(0), tensors.get(1), resources));
  }

  private static List<Tensor> unpad(Tensor x, Tensor lengths, StepResources resources) {
    int rows = (int) x.shape().dim(0);
    Specs.requireRows(lengths, rows);
    int length = rows == 0 ? 0 : lengths.data().getInt(0);
    for (int row = 0; row < rows; row++) {
      int own = lengths.data().getInt(4 * row);
      if (own < 0 || own > x.shape().dim(1)) {
        throw InferenceException.invalid(
            "length %d is %d, tensor 'x' has %d".formatted(row, own, x.shape().dim(1)));
      }
      if (own != length) {
        throw InferenceException.invalid(
            "length 0 is %d and length %d is %d: take them apart with for_each"
                .formatted(length, row, own));
      }
    }
    Tensor out = resources.tensor("x", x.type(), withLength(x.shape(), length));
    for (int row = 0; row < rows; row++) {
      int bytes = out.sizeBytes() / rows;
      out.data().put(row * bytes, x.data(), row * (x.sizeBytes() / rows), bytes);
    }
    return List.of(out);
  }

  private static Shape withLength(Shape shape, long length) {
    long[] dims = shape.toArray();
    dims[1] = length;
    return Shape.of(dims);
  }

  private static void requireRows(TensorSpec x) {
    if (x.type() == DataType.BYTES || x.shape().rank() < 2) {
      throw new ConfigException(
          "input_map.x",
          "numbers of 2 dimensions or more",
          x.type().configName() + " " + x.shape());
    }
  }

  private static int[] lengths(StepSettings settings) {
    String text = settings.text("lengths", "");
    String[] parts = text.split(",", -1);
    int[] lengths = new int[parts.length];
    try {
      for (int i = 0; i < parts.length; i++) {
        lengths[i] = Integer.parseInt(parts[i].strip());
      }
    } catch (NumberFormatException e) {
      lengths[0] = 0;
    }
    Arrays.sort(lengths);
    if (lengths[0] < 1) {
      throw settings.refusal("lengths", "lengths such as 32,64,128", "\"" + text + "\"");
    }
    return lengths;
  }
}
