package dev.conveyor.verticles.rollout;

import dev.conveyor.models.Tensor;
import dev.conveyor.models.optimize.precision.Float16;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.function.IntToDoubleFunction;

/**
 * Says whether two versions of a model gave the same answer. Stateless.
 *
 * <p>Of a large output up to {@value #MOST_VALUES} values are compared, evenly spread, so that an
 * event loop is not held up for longer than tens of microseconds.
 */
public final class OutputComparison {

  static final int MOST_VALUES = 16_384;

  private OutputComparison() {}

  /**
   * Compares outputs in order.
   *
   * @param tolerance largest difference of a floating-point value, relative to the largest value of
   *     the expected output; other types have to be equal
   */
  public static boolean agree(List<Tensor> expected, List<Tensor> found, double tolerance) {
    if (expected.size() != found.size()) {
      return false;
    }
    for (int i = 0; i < expected.size(); i++) {
      if (!agree(expected.get(i), found.get(i), tolerance)) {
        return false;
      }
    }
    return true;
  }

  private static boolean agree(Tensor expected, Tensor found, double tolerance) {
    if (expected.type() != found.type() || !expected.shape().equals(found.shape())) {
      return false;
    }
    ByteBuffer a = expected.data();
    ByteBuffer b = found.data();
    return switch (expected.type()) {
      case FP32 -> close(a.limit() / 4, i -> a.getFloat(4 * i), i -> b.getFloat(4 * i), tolerance);
      case FP64 ->
          close(a.limit() / 8, i -> a.getDouble(8 * i), i -> b.getDouble(8 * i), tolerance);
      case FP16 ->
          close(
              a.limit() / 2,
              i -> Float16.fromHalf(a.getShort(2 * i)),
              i -> Float16.fromHalf(b.getShort(2 * i)),
              tolerance);
      case BF16 ->
          close(
              a.limit() / 2,
              i -> Float16.fromBfloat16(a.getShort(2 * i)),
              i -> Float16.fromBfloat16(b.getShort(2 * i)),
              tolerance);
      default -> a.duplicate().rewind().equals(b.duplicate().rewind());
    };
  }

  private static boolean close(
      int values, IntToDoubleFunction expected, IntToDoubleFunction found, double tolerance) {
    int step = 1 + (values - 1) / MOST_VALUES;
    double largest = 0;
    for (int i = 0; i < values; i += step) {
      largest = Math.max(largest, Math.abs(expected.applyAsDouble(i)));
    }
    for (int i = 0; i < values; i += step) {
      double there = expected.applyAsDouble(i);
      double here = found.applyAsDouble(i);
      boolean same =
          there == here
              || (Double.isNaN(there) && Double.isNaN(here))
              || Math.abs(there - here) <= tolerance * largest;
      if (!same) {
        return false;
      }
    }
    return true;
  }
}
