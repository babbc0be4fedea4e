package dev.conveyor.verticles.oip;

import dev.conveyor.memory.Lease;
import dev.conveyor.models.DataType;
import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.verticles.shm.SharedTensors;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The bytes that are not in the JSON head: those behind it, handed out to tensors in order, and
 * those in shared memory. Not thread-safe: owned by the request being parsed.
 *
 * <p>Bytes in a lease are shared by the tensors cut from it. Each of them holds a share of its own,
 * because an image is done with long before the tensor beside it.
 */
public final class BinaryData {

  private final @Nullable Lease lease;
  private final ByteBuffer bytes;
  private final List<Lease> shares = new ArrayList<>(2);
  private @Nullable SharedTensors shared;
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

  /** The whole of a lease, which stays the caller's to close. */
  public static BinaryData lease(Lease lease) {
    return new BinaryData(lease, lease.buffer());
  }

  /** Lets tensors of the request be in shared memory; {@code tensors} stays the caller's. */
  public BinaryData with(SharedTensors tensors) {
    shared = tensors;
    return this;
  }

  /** Returns the tensors in shared memory; refuses them where the transport has none. */
  SharedTensors shared() {
    if (shared == null) {
      throw new InferenceException(
          ErrorCode.UNSUPPORTED, "tensors in shared memory come over HTTP and gRPC only");
    }
    return shared;
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
    if (lease == null) {
      return Tensor.of(name, type, shape, bytes.slice(offset, length));
    }
    Lease share = lease.share();
    shares.add(share);
    return Tensor.ofLease(name, type, shape, share, offset, length);
  }

  /** Closes every tensor that was cut: the request will not be. */
  void discard() {
    shares.forEach(Lease::close);
    if (shared != null) {
      shared.discard();
    }
  }

  void requireConsumed() {
    if (position != bytes.limit()) {
      throw InferenceException.invalid(
          "%d bytes of binary data belong to no input".formatted(bytes.limit() - position));
    }
  }
}
