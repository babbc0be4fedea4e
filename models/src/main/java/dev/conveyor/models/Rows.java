package dev.conveyor.models;

import java.nio.ByteBuffer;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A tensor taken apart along its first dimension, and parts put together again.
 *
 * <p>Not thread-safe: owned by whoever owns the tensor, which stays open as long as rows are taken.
 */
public final class Rows {

  private final Tensor tensor;
  private final int count;
  private final Shape shape;

  /** Where each row begins, and where the last one ends. */
  private static final int MOST_EMPTY_ROWS = 65_536;

  private final int[] offsets;

  private Rows(Tensor tensor, int[] offsets) {
    this.tensor = tensor;
    this.count = offsets.length - 1;
    this.shape = tensor.shape().withFirst(1);
    this.offsets = offsets;
  }

  /**
   * Takes a tensor of at least one dimension apart.
   *
   * @throws InferenceException if data and shape do not agree
   */
  public static Rows of(Tensor tensor) {
    long rows = tensor.shape().dim(0);
    // A shape with a zero in it may name any number of rows without a single byte.
    if (rows > Math.max(MOST_EMPTY_ROWS, tensor.sizeBytes())) {
      throw InferenceException.invalid(
          "%d rows without data in them, at most %d are taken".formatted(rows, MOST_EMPTY_ROWS));
    }
    int count = (int) rows;
    int[] offsets = new int[count + 1];
    offsets[count] = tensor.sizeBytes();
    if (count > 0 && tensor.type() == DataType.BYTES) {
      int perRow = (int) (tensor.shape().elements() / rows);
      BytesTensors.forEach(
          tensor,
          (index, data, offset, lengthBytes) -> {
            if (index % perRow == 0) {
              offsets[index / perRow] = offset - Integer.BYTES;
            }
          });
    } else {
      for (int i = 0; i < count; i++) {
        offsets[i] = (int) ((long) tensor.sizeBytes() * i / count);
      }
    }
    return new Rows(tensor, offsets);
  }

  public int count() {
    return count;
  }

  /** Returns a row as a tensor of one row, to be closed on its own; null if the whole is closed. */
  public @Nullable Tensor tryShare(int row) {
    return tensor.trySharePart(shape, offsets[row], offsets[row + 1] - offsets[row]);
  }

  /** Where the memory of joined tensors comes from. */
  @FunctionalInterface
  public interface Memory {
    Tensor tensor(String name, DataType type, Shape shape, long bytes);
  }

  /**
   * Puts parts together along the first dimension. Closes nothing; a single part is shared, not
   * copied.
   *
   * @param spec name, type and, if there are no parts, shape of the whole
   * @param numbers of the parts, for messages
   * @throws InferenceException if they differ in another dimension, or there is no memory for them
   */
  public static Tensor join(
      TensorSpec spec, List<Tensor> parts, List<Integer> numbers, Memory memory) {
    if (parts.isEmpty()) {
      return none(spec);
    }
    Tensor first = parts.get(0);
    long rows = 0;
    long bytes = 0;
    for (int i = 0; i < parts.size(); i++) {
      Tensor part = parts.get(i);
      requireAlike(spec, first, numbers.get(0), part, numbers.get(i));
      rows += part.shape().dim(0);
      bytes += part.sizeBytes();
    }
    Tensor share = parts.size() == 1 ? first.tryShare() : null;
    if (share != null) {
      return share.renamed(spec.name());
    }
    Tensor joined = memory.tensor(spec.name(), spec.type(), first.shape().withFirst(rows), bytes);
    ByteBuffer data = joined.data().duplicate();
    for (Tensor part : parts) {
      data.put(part.data().duplicate().rewind());
    }
    return joined;
  }

  /** Returns a tensor without rows. */
  public static Tensor none(TensorSpec spec) {
    return Tensor.of(spec.name(), spec.type(), none(spec.shape()), ByteBuffer.allocate(0));
  }

  private static Shape none(Shape shape) {
    long[] dims = shape.toArray();
    for (int i = 0; i < dims.length; i++) {
      dims[i] = i == 0 || dims[i] == Shape.DYNAMIC ? 0 : dims[i];
    }
    return Shape.of(dims);
  }

  private static void requireAlike(
      TensorSpec spec, Tensor first, int firstIndex, Tensor part, int index) {
    if (part.type() != spec.type()
        || part.shape().rank() == 0
        || !part.shape().withFirst(0).equals(first.shape().withFirst(0))) {
      throw InferenceException.invalid(
          "tensor '%s': item %d is %s %s and item %d is %s %s, which cannot be joined"
              .formatted(
                  spec.name(),
                  firstIndex,
                  first.type(),
                  first.shape(),
                  index,
                  part.type(),
                  part.shape()));
    }
  }
}
