package dev.conveyor.verticles.oip;

import dev.conveyor.memory.Lease;
import dev.conveyor.models.DataType;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * The bytes behind the JSON head, handed out to tensors in order. Not thread-safe: owned by the
 * request being parsed.
 *
 * <p>Bytes in a lease are shared by all tensors cut from it; any of them closing returns it, which
 * is why a request closes its inputs together.
 */
public final class BinaryData {

  private final @Nullable Lease lease;
  private final ByteBuffer bytes;
  private int position;

  private BinaryData(@Nullable Lease lease, ByteBuffer bytes) {
    this.lease = lease;
    this.bytes = bytes;
  }

  /** No binary data. */
  public static BinaryData none() {
    return new BinaryData(null, ByteBuffer.allocate(0));
  }

  /** Bytes on the heap, from position to limit. */
  public static BinaryData heap(ByteBuffer bytes) {
    return new BinaryData(null, bytes.slice());
  }

  /** The whole of a lease. */
  public static BinaryData lease(Lease lease) {
    return new BinaryData(lease, lease.buffer());
  }

  /** Cuts the next tensor. */
  Tensor take(String name, DataType type, Shape shape, int length) {
    if (length > bytes.limit() - position) {
      throw InferenceException.invalid(
          "input '%s': binary_data_size is %d, but only %d bytes are left of the %d after the head"
              .formatted(name, length, bytes.limit() - position, bytes.limit()));
    }
    int offset = position;
    position += length;
    return lease == null
        ? Tensor.of(name, type, shape, bytes.slice(offset, length))
        : Tensor.ofLease(name, type, shape, lease, offset, length);
  }

  void requireConsumed() {
    if (position != bytes.limit()) {
      throw InferenceException.invalid(
          "%d bytes of binary data belong to no input".formatted(bytes.limit() - position));
    }
  }
}
