package dev.conveyor.models;

import com.google.errorprone.annotations.FormatMethod;
import com.google.errorprone.annotations.FormatString;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * Reads and builds tensors of type {@link DataType#BYTES}: per element a 4-byte little-endian
 * length and that many bytes, with nothing between or after the elements.
 *
 * <p>Everything that reads one checks it first: no length is believed before it was compared with
 * the bytes that are left, and the elements must be exactly as many as the shape says. Failures are
 * {@link ErrorCode#INVALID_REQUEST}.
 */
public final class BytesTensors {

  private static final int PREFIX_BYTES = Integer.BYTES;

  private BytesTensors() {}

  /** Takes the elements of a tensor one after the other. */
  @FunctionalInterface
  public interface Visitor {

    /**
     * Takes element {@code index}: {@code lengthBytes} of {@code data} from {@code offset}.
     *
     * @param data the tensor's own view, little-endian; to be read with absolute gets only
     */
    void element(int index, ByteBuffer data, int offset, int lengthBytes);
  }

  /**
   * Checks the whole tensor and returns the number of its elements.
   *
   * @throws InferenceException if data and shape do not agree
   */
  public static int count(Tensor tensor) {
    int count = declaredCount(tensor);
    walk(tensor, count, (index, data, offset, lengthBytes) -> {});
    return count;
  }

  /**
   * Visits the elements in order, without copying. An element is checked just before its visit, so
   * that a tensor is walked once; call {@link #count} first where a half-visited one is harmful.
   *
   * @throws InferenceException if data and shape do not agree
   */
  public static void forEach(Tensor tensor, Visitor visitor) {
    walk(tensor, declaredCount(tensor), visitor);
  }

  /**
   * Returns one read-only view per element; they live as long as the tensor's memory does.
   *
   * @throws InferenceException if data and shape do not agree
   */
  public static List<ByteBuffer> elements(Tensor tensor) {
    List<ByteBuffer> elements = new ArrayList<>(declaredCount(tensor));
    forEach(
        tensor,
        (index, data, offset, lengthBytes) ->
            elements.add(
                data.slice(offset, lengthBytes).asReadOnlyBuffer().order(ByteOrder.LITTLE_ENDIAN)));
    return elements;
  }

  /**
   * Returns the elements as text; bytes that are not UTF-8 become replacement characters.
   *
   * @throws InferenceException if data and shape do not agree
   */
  public static List<String> strings(Tensor tensor) {
    List<String> strings = new ArrayList<>(declaredCount(tensor));
    forEach(
        tensor,
        (index, data, offset, lengthBytes) -> {
          byte[] bytes = new byte[lengthBytes];
          data.get(offset, bytes);
          strings.add(new String(bytes, StandardCharsets.UTF_8));
        });
    return strings;
  }

  /**
   * Builds a tensor on the heap.
   *
   * @throws IllegalArgumentException if the shape has another number of elements
   * @throws InferenceException with {@link ErrorCode#TOO_LARGE} if it would be over 2 GiB
   */
  public static Tensor of(String name, Shape shape, List<byte[]> elements) {
    if (shape.elements() != elements.size()) {
      throw new IllegalArgumentException(
          "%s: %d elements for shape %s".formatted(name, elements.size(), shape));
    }
    long totalBytes = 0;
    for (byte[] element : elements) {
      totalBytes += PREFIX_BYTES + (long) element.length;
    }
    if (totalBytes > Integer.MAX_VALUE - 8) {
      throw new InferenceException(
          ErrorCode.TOO_LARGE,
          "tensor '%s': its %d elements have %d bytes, more than one buffer can hold"
              .formatted(name, elements.size(), totalBytes));
    }
    ByteBuffer data = ByteBuffer.allocate((int) totalBytes).order(ByteOrder.LITTLE_ENDIAN);
    for (byte[] element : elements) {
      data.putInt(element.length).put(element);
    }
    return Tensor.of(name, DataType.BYTES, shape, data.flip());
  }

  /** Builds a tensor of UTF-8 strings on the heap; fails as {@link #of} does. */
  public static Tensor ofStrings(String name, Shape shape, List<String> elements) {
    return of(name, shape, elements.stream().map(s -> s.getBytes(StandardCharsets.UTF_8)).toList());
  }

  private static void walk(Tensor tensor, int count, Visitor visitor) {
    ByteBuffer data = tensor.data();
    int limit = data.limit();
    int offset = 0;
    for (int i = 0; i < count; i++) {
      if (limit - offset < PREFIX_BYTES) {
        throw invalid(
            tensor, "the data ends after %d of %d elements of shape %s", i, count, tensor.shape());
      }
      int lengthBytes = data.getInt(offset);
      offset += PREFIX_BYTES;
      if (lengthBytes < 0 || lengthBytes > limit - offset) {
        throw invalid(
            tensor,
            "element %d claims %d bytes, %d are left",
            i,
            Integer.toUnsignedLong(lengthBytes),
            limit - offset);
      }
      visitor.element(i, data, offset, lengthBytes);
      offset += lengthBytes;
    }
    if (offset != limit) {
      throw invalid(
          tensor,
          "%d bytes are left after the %d elements of shape %s",
          limit - offset,
          count,
          tensor.shape());
    }
  }

  /** Returns the shape's element count, having made sure that the data could hold as many. */
  private static int declaredCount(Tensor tensor) {
    if (tensor.type() != DataType.BYTES) {
      throw invalid(tensor, "must be BYTES, is %s", tensor.type());
    }
    if (!tensor.shape().isStatic()) {
      throw invalid(tensor, "shape %s has a dynamic dimension", tensor.shape());
    }
    long count;
    try {
      count = tensor.shape().elements();
    } catch (ArithmeticException e) {
      throw invalid(tensor, "shape %s has too many elements", tensor.shape());
    }
    if (count > tensor.sizeBytes() / PREFIX_BYTES) {
      throw invalid(
          tensor,
          "%d elements of shape %s do not fit into %d bytes",
          count,
          tensor.shape(),
          tensor.sizeBytes());
    }
    return (int) count;
  }

  @FormatMethod
  private static InferenceException invalid(
      Tensor tensor, @FormatString String problem, Object... details) {
    return InferenceException.invalid(
        "tensor '" + tensor.name() + "': " + problem.formatted(details));
  }
}
