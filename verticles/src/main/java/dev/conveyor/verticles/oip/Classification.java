package dev.conveyor.verticles.oip;

import dev.conveyor.models.DataType;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * The protocol's classification extension: the largest values of an output as strings {@code
 * value:index} or {@code value:index:label}.
 *
 * <p>Thread-safe: no state. Values are selected by a 64-bit key that orders like the value, so that
 * one selection serves every numeric type; NaN comes last, equal values by index.
 */
public final class Classification {

  private Classification() {}

  /**
   * Returns the {@code k} largest values of each row, largest first, as a {@code BYTES} tensor of
   * the same name: shape [rows, classes] if batched, [classes] if not. Rows with fewer values give
   * as many as they have.
   *
   * @param labels names by index; indices beyond it get none
   * @param batched the first dimension of {@code output} counts rows
   * @throws InferenceException INVALID_REQUEST if the type of the output has no order
   */
  public static Tensor topK(Tensor output, int k, List<String> labels, boolean batched) {
    if (k < 1) {
      throw InferenceException.invalid("number of classes must be at least 1, was " + k);
    }
    if (output.type() == DataType.BYTES || output.type() == DataType.BOOL) {
      throw InferenceException.invalid(
          "class result not available for output '"
              + output.name()
              + "' due to unsupported type '"
              + output.type()
              + "'");
    }
    boolean rowwise = batched && output.shape().rank() > 0;
    int elements = Math.toIntExact(output.shape().elements());
    int rows = rowwise ? Math.toIntExact(output.shape().dim(0)) : 1;
    int rowSize = rows == 0 ? 0 : elements / rows;
    int classes = Math.min(k, rowSize);
    byte[][] texts = new byte[rows * classes][];
    for (int row = 0; row < rows; row++) {
      int[] best = largest(output, row * rowSize, rowSize, classes);
      for (int i = 0; i < classes; i++) {
        texts[row * classes + i] = text(output, row * rowSize, best[i], labels);
      }
    }
    Shape shape = rowwise ? Shape.of(rows, classes) : Shape.of(classes);
    return Tensor.of(output.name(), DataType.BYTES, shape, lengthPrefixed(texts));
  }

  /** Selects with a heap of size {@code k} whose root is the worst selected so far. */
  private static int[] largest(Tensor output, int base, int size, int k) {
    int[] heap = new int[k];
    long[] keys = new long[k];
    int used = 0;
    for (int i = 0; i < size && k > 0; i++) {
      long key = key(output, base + i);
      if (used < k) {
        siftUp(heap, keys, used++, i, key);
      } else if (key > keys[0]) {
        siftDown(heap, keys, k, i, key);
      }
    }
    for (int end = k - 1; end > 0; end--) {
      int worst = heap[0];
      int last = heap[end];
      long lastKey = keys[end];
      siftDown(heap, keys, end, last, lastKey);
      heap[end] = worst;
    }
    return heap;
  }

  private static void siftUp(int[] heap, long[] keys, int start, int index, long key) {
    int at = start;
    while (at > 0) {
      int parent = (at - 1) >>> 1;
      if (!isWorse(index, key, heap[parent], keys[parent])) {
        break;
      }
      heap[at] = heap[parent];
      keys[at] = keys[parent];
      at = parent;
    }
    heap[at] = index;
    keys[at] = key;
  }

  private static void siftDown(int[] heap, long[] keys, int size, int index, long key) {
    int at = 0;
    while (true) {
      int child = 2 * at + 1;
      if (child >= size) {
        break;
      }
      if (child + 1 < size && isWorse(heap[child + 1], keys[child + 1], heap[child], keys[child])) {
        child++;
      }
      if (!isWorse(heap[child], keys[child], index, key)) {
        break;
      }
      heap[at] = heap[child];
      keys[at] = keys[child];
      at = child;
    }
    heap[at] = index;
    keys[at] = key;
  }

  private static boolean isWorse(int index, long key, int otherIndex, long otherKey) {
    return key != otherKey ? key < otherKey : index > otherIndex;
  }

  private static long key(Tensor output, int i) {
    return switch (output.type()) {
      case FP16, BF16, FP32, FP64 -> floatingKey(floating(output, i));
      case UINT64 -> integer(output, i) ^ Long.MIN_VALUE;
      case BOOL, UINT8, UINT16, UINT32, INT8, INT16, INT32, INT64, BYTES -> integer(output, i);
    };
  }

  private static long floatingKey(double value) {
    if (Double.isNaN(value)) {
      return Long.MIN_VALUE;
    }
    // Adding zero makes -0.0 equal to 0.0; the mask turns the order of negative numbers round.
    long bits = Double.doubleToRawLongBits(value + 0.0);
    return bits ^ ((bits >> 63) & Long.MAX_VALUE);
  }

  private static double floating(Tensor output, int i) {
    ByteBuffer data = output.data();
    return switch (output.type()) {
      case FP64 -> data.getDouble(i * 8);
      case FP32 -> data.getFloat(i * 4);
      case BF16 -> Float.intBitsToFloat(data.getShort(i * 2) << 16);
      case FP16 -> half(data.getShort(i * 2));
      default -> throw new IllegalArgumentException(output + " is not floating point");
    };
  }

  private static long integer(Tensor output, int i) {
    ByteBuffer data = output.data();
    return switch (output.type()) {
      case UINT8 -> Byte.toUnsignedLong(data.get(i));
      case UINT16 -> Short.toUnsignedLong(data.getShort(i * 2));
      case UINT32 -> Integer.toUnsignedLong(data.getInt(i * 4));
      case INT8 -> data.get(i);
      case INT16 -> data.getShort(i * 2);
      case INT32 -> data.getInt(i * 4);
      case INT64, UINT64 -> data.getLong(i * 8);
      default -> throw new IllegalArgumentException(output + " is not an integer type");
    };
  }

  /** IEEE 754 binary16; the JDK converts it from version 20 on. */
  private static float half(short bits) {
    int exponent = (bits >> 10) & 0x1f;
    int fraction = bits & 0x3ff;
    float magnitude;
    if (exponent == 0x1f) {
      magnitude = fraction == 0 ? Float.POSITIVE_INFINITY : Float.NaN;
    } else if (exponent == 0) {
      magnitude = fraction * 0x1p-24f;
    } else {
      magnitude = Math.scalb(1f + fraction * 0x1p-10f, exponent - 15);
    }
    return bits < 0 ? -magnitude : magnitude;
  }

  private static byte[] text(Tensor output, int base, int index, List<String> labels) {
    String value =
        switch (output.type()) {
          case FP16, BF16, FP32, FP64 -> fixed(floating(output, base + index));
          case UINT64 -> Long.toUnsignedString(integer(output, base + index));
          case BOOL, UINT8, UINT16, UINT32, INT8, INT16, INT32, INT64, BYTES ->
              Long.toString(integer(output, base + index));
        };
    String text = value + ":" + index;
    if (index < labels.size()) {
      text += ":" + labels.get(index);
    }
    return text.getBytes(StandardCharsets.UTF_8);
  }

  /**
   * Formats like C's {@code %f}: six decimals, rounded from the exact binary value, which {@link
   * java.util.Formatter} does not do.
   */
  private static String fixed(double value) {
    if (Double.isNaN(value)) {
      return "nan";
    }
    if (Double.isInfinite(value)) {
      return value > 0 ? "inf" : "-inf";
    }
    String digits =
        new BigDecimal(Math.abs(value)).setScale(6, RoundingMode.HALF_EVEN).toPlainString();
    return Double.doubleToRawLongBits(value) < 0 ? "-" + digits : digits;
  }

  private static ByteBuffer lengthPrefixed(byte[][] texts) {
    int bytes = 0;
    for (byte[] text : texts) {
      bytes += 4 + text.length;
    }
    ByteBuffer buffer = ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    for (byte[] text : texts) {
      buffer.putInt(text.length).put(text);
    }
    return buffer.flip();
  }
}
