package dev.conveyor.models.steps;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.config.ConfigException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
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

  /** Returns zeroed memory for a tensor. */
  static ByteBuffer allocate(Shape shape, DataType type) {
    int bytes = Math.toIntExact(Math.multiplyExact(shape.elements(), type.sizeBytes()));
    return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }
}
