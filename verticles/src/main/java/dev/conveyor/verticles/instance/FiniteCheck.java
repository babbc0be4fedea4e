package dev.conveyor.verticles.instance;

import dev.conveyor.models.Tensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Finds NaN and infinity in outputs.
 *
 * <p>Not thread-safe: owned by one instance. A number is neither if its exponent is not all ones.
 * Of each block the exponents are looked at together, in a loop without branches, which the JIT
 * compiler turns into vector instructions; only a block that has such a number is searched for it.
 */
final class FiniteCheck {

  private static final int BLOCK = 1024;

  private final int[] words = new int[BLOCK];
  private final long[] longs = new long[BLOCK];
  private final short[] halves = new short[BLOCK];

  /** Returns what is wrong with these outputs, null if every number in them is finite. */
  @Nullable String problem(List<Tensor> outputs) {
    for (int i = 0; i < outputs.size(); i++) {
      Tensor output = outputs.get(i);
      int at = find(output);
      if (at >= 0) {
        return "output '%s' is not finite at element %d, and reject_non_finite is set"
            .formatted(output.name(), at);
      }
    }
    return null;
  }

  private int find(Tensor output) {
    ByteBuffer data = output.data().duplicate().rewind().order(ByteOrder.LITTLE_ENDIAN);
    return switch (output.type()) {
      case FP32 -> findWord(data);
      case FP64 -> findLong(data);
      case FP16 -> findHalf(data, 0x7c00);
      case BF16 -> findHalf(data, 0x7f80);
      default -> -1;
    };
  }

  private int findWord(ByteBuffer data) {
    var all = data.asIntBuffer();
    for (int first = all.position(); all.hasRemaining(); first = all.position()) {
      int count = Math.min(BLOCK, all.remaining());
      all.get(words, 0, count);
      int bad = 0;
      for (int i = 0; i < count; i++) {
        bad |= (words[i] & 0x7f800000) + 0x00800000;
      }
      for (int i = 0; bad < 0 && i < count; i++) {
        if ((words[i] & 0x7f800000) == 0x7f800000) {
          return first + i;
        }
      }
    }
    return -1;
  }

  private int findLong(ByteBuffer data) {
    var all = data.asLongBuffer();
    for (int first = all.position(); all.hasRemaining(); first = all.position()) {
      int count = Math.min(BLOCK, all.remaining());
      all.get(longs, 0, count);
      long bad = 0;
      for (int i = 0; i < count; i++) {
        bad |= (longs[i] & 0x7ff0000000000000L) + 0x0010000000000000L;
      }
      for (int i = 0; bad < 0 && i < count; i++) {
        if ((longs[i] & 0x7ff0000000000000L) == 0x7ff0000000000000L) {
          return first + i;
        }
      }
    }
    return -1;
  }

  private int findHalf(ByteBuffer data, int exponent) {
    var all = data.asShortBuffer();
    for (int first = all.position(); all.hasRemaining(); first = all.position()) {
      int count = Math.min(BLOCK, all.remaining());
      all.get(halves, 0, count);
      for (int i = 0; i < count; i++) {
        if ((halves[i] & exponent) == exponent) {
          return first + i;
        }
      }
    }
    return -1;
  }
}
