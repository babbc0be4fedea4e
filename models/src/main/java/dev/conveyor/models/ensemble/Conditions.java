package dev.conveyor.models.ensemble;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Tensor;
import java.nio.ByteBuffer;

/** What the tensor of a condition says. Stateless. */
public final class Conditions {

  private Conditions() {}

  /**
   * Returns whether one element is not 0: a number, NaN included, a true, or a text that is not
   * empty. False for a tensor without elements.
   */
  public static boolean holds(Tensor tensor) {
    ByteBuffer data = tensor.data();
    int size = signed(tensor.type()) ? tensor.type().sizeBytes() : 0;
    for (int i = 0; i < data.limit(); i++) {
      // The sign of a number is in its last byte: -0 is 0.
      int mask = size > 0 && i % size == size - 1 ? 0x7F : 0xFF;
      if ((data.get(i) & mask) != 0) {
        return true;
      }
    }
    return false;
  }

  private static boolean signed(DataType type) {
    return switch (type) {
      case FP16, BF16, FP32, FP64 -> true;
      default -> false;
    };
  }
}
