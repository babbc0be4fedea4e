package dev.conveyor.models.steps;

import dev.conveyor.models.DataType;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.config.ConfigException;
import java.util.Arrays;

/** What the steps here have in common. Stateless. */
final class Specs {

  private Specs() {}

  /** Refuses an input of another type or of fewer dimensions than this. */
  static void require(TensorSpec spec, DataType type, int leastRank, int mostRank) {
    int rank = spec.shape().rank();
    if (spec.type() != type || rank < leastRank || rank > mostRank) {
      String ranks = leastRank == mostRank ? "" + leastRank : leastRank + " to " + mostRank;
      throw new ConfigException(
          "input_map." + spec.name(),
          type.configName() + " of " + ranks + " dimensions",
          spec.type().configName() + " " + spec.shape());
    }
  }

  /** Refuses what is no image: bytes or floats of 4 dimensions, N x C x H x W unless told. */
  static void requireImage(TensorSpec spec) {
    if ((spec.type() != DataType.UINT8 && spec.type() != DataType.FP32)
        || spec.shape().rank() != 4) {
      throw new ConfigException(
          "input_map." + spec.name(),
          "TYPE_UINT8 or TYPE_FP32 of 4 dimensions",
          spec.type().configName() + " " + spec.shape());
    }
  }

  /** Refuses an input whose last dimension is another one. */
  static void requireLast(TensorSpec spec, long size) {
    long last = spec.shape().dim(spec.shape().rank() - 1);
    if (last != size && last != Shape.DYNAMIC) {
      throw new ConfigException(
          "input_map." + spec.name(), size + " as the last dimension", spec.shape());
    }
  }

  /** Returns a shape with another last dimension. */
  static Shape withLast(Shape shape, long size) {
    long[] dims = shape.toArray();
    dims[dims.length - 1] = size;
    return Shape.of(dims);
  }

  /** Returns a shape without trailing dimensions of 1: scores of classifiers often have some. */
  static Shape squeezed(Shape shape) {
    long[] dims = shape.toArray();
    int rank = dims.length;
    while (rank > 2 && dims[rank - 1] == 1) {
      rank--;
    }
    return Shape.of(Arrays.copyOf(dims, rank));
  }

  static int last(Tensor tensor) {
    return (int) tensor.shape().dim(tensor.shape().rank() - 1);
  }

  /** Returns a size in pixels that has to be set. */
  static int size(StepSettings settings, String key) {
    int size = settings.integer(key, 0, 65_535, 0);
    if (size == 0) {
      throw settings.refusal(key, "a size in pixels", "nothing");
    }
    return size;
  }

  /** Refuses a tensor of another number of rows, at run time. */
  static void requireRows(Tensor tensor, long rows) {
    if (tensor.shape().dim(0) != rows) {
      throw InferenceException.invalid(
          "tensor '%s' has %d rows, expected %d"
              .formatted(tensor.name(), tensor.shape().dim(0), rows));
    }
  }
}
