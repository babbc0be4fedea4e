package dev.conveyor.models;

import dev.conveyor.memory.Lease;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * A named, typed, shaped block of bytes, and the memory lease it lives in, if any.
 *
 * <p>Not thread-safe: one owner at a time; ownership moves with the message that carries it, and
 * the owner closes it. Data is little-endian, row-major, from index 0 to the limit of {@link
 * #data}; {@code BYTES} elements are length-prefixed as in the protocol's binary extension.
 */
public final class Tensor implements AutoCloseable {

  private final String name;
  private final DataType type;
  private final Shape shape;
  private final @Nullable ByteBuffer data;
  private final @Nullable Lease lease;
  private final int offset;

  /** Where devices read the bytes; 0 if they cannot. */
  private final long pinnedAddress;

  /** Null if and only if {@link #data} is not. */
  private final @Nullable LateBytes late;

  private Tensor(
      String name,
      DataType type,
      Shape shape,
      ByteBuffer data,
      @Nullable Lease lease,
      int offset,
      long pinnedAddress) {
    this.name = name;
    this.type = type;
    this.shape = shape;
    this.data = data;
    this.lease = lease;
    this.offset = offset;
    this.pinnedAddress = pinnedAddress;
    this.late = null;
  }

  private Tensor(String name, DataType type, Shape shape, LateBytes late) {
    this.name = name;
    this.type = type;
    this.shape = shape;
    this.data = null;
    this.lease = null;
    this.offset = 0;
    this.pinnedAddress = 0;
    this.late = late;
  }

  /** Takes over bytes that are made when somebody asks for {@link #data}. */
  public static Tensor late(String name, DataType type, Shape shape, LateBytes bytes) {
    return new Tensor(name, type, shape, bytes);
  }

  /** Wraps {@code data} from its position to its limit, on the heap or native, without a copy. */
  public static Tensor of(String name, DataType type, Shape shape, ByteBuffer data) {
    return ofPinned(name, type, shape, data, 0);
  }

  /**
   * As {@link #of}, for native memory that devices read by themselves.
   *
   * @param address of the first of the bytes; whoever has pinned them leaves them so until nobody
   *     uses the tensor any more; 0 if devices cannot read them
   */
  public static Tensor ofPinned(
      String name, DataType type, Shape shape, ByteBuffer data, long address) {
    ByteBuffer view = data.slice().order(ByteOrder.LITTLE_ENDIAN);
    return new Tensor(name, type, shape, view, null, 0, address);
  }

  /** Takes over {@code lease}; the data is {@code bytes} of it from {@code offset}. */
  public static Tensor ofLease(
      String name, DataType type, Shape shape, Lease lease, int offset, int bytes) {
    ByteBuffer view = lease.buffer().slice(offset, bytes).order(ByteOrder.LITTLE_ENDIAN);
    long pinned = lease.isPinned() ? lease.address() + offset : 0;
    return new Tensor(name, type, shape, view, lease, offset, pinned);
  }

  public String name() {
    return name;
  }

  public DataType type() {
    return type;
  }

  public Shape shape() {
    return shape;
  }

  /**
   * Returns the bytes, always the same view; use absolute reads or a duplicate. Bytes that are made
   * late are made now.
   */
  public ByteBuffer data() {
    return data == null ? Objects.requireNonNull(late).onHost() : data;
  }

  public int sizeBytes() {
    return data == null ? Objects.requireNonNull(late).sizeBytes() : data.limit();
  }

  /** Returns bytes that are equal for equal tensors: the data, or what it will be made of. */
  public ByteBuffer identity() {
    return data == null ? Objects.requireNonNull(late).source() : data;
  }

  /** Returns the bytes that are made late; null if they are there. */
  public @Nullable LateBytes lateBytes() {
    return late;
  }

  /** Returns whether the memory is lent by a pool, which counts it until it is given back. */
  public boolean isLeased() {
    return lease != null || isOnDevice();
  }

  /** Returns whether the bytes lie on a device, and come to the host only with {@link #data}. */
  public boolean isOnDevice() {
    return late != null && late.isOnDevice();
  }

  /** Returns the address of the bytes if devices can read them by themselves, otherwise 0. */
  public long pinnedAddress() {
    return pinnedAddress;
  }

  /** Returns these bytes under another name, sharing memory and lease with this tensor. */
  public Tensor renamed(String newName) {
    return data == null
        ? new Tensor(newName, type, shape, Objects.requireNonNull(late))
        : new Tensor(newName, type, shape, data, lease, offset, pinnedAddress);
  }

  /** Returns these bytes in another shape of as many elements, sharing memory and lease. */
  public Tensor reshaped(Shape newShape) {
    return data == null
        ? new Tensor(name, type, newShape, Objects.requireNonNull(late))
        : new Tensor(name, type, newShape, data, lease, offset, pinnedAddress);
  }

  /** Returns whether the bytes lie where those of another tensor begin, rather than in a copy. */
  @SuppressWarnings("ReferenceEquality") // equal bytes in another place are a copy
  public boolean isInPlaceOf(Tensor other) {
    if (late != null || other.late != null) {
      return late != null && other.late != null && late.isInPlaceOf(other.late);
    }
    ByteBuffer here = identity();
    ByteBuffer there = other.identity();
    if (here == there) {
      return true;
    }
    if (here.hasArray() && there.hasArray()) {
      return here.array() == there.array() && here.arrayOffset() == there.arrayOffset();
    }
    return lease != null
        && other.lease != null
        && lease.isShareOf(other.lease)
        && offset == other.offset;
  }

  /**
   * Returns the same tensor for another owner, who closes it too: the memory goes back with the
   * last one. Null if this one is closed.
   */
  public @Nullable Tensor tryShare() {
    if (data == null) {
      LateBytes share = Objects.requireNonNull(late).tryShare();
      return share == null ? null : new Tensor(name, type, shape, share);
    }
    if (lease == null) {
      return this;
    }
    Lease share = lease.tryShare();
    return share == null ? null : new Tensor(name, type, shape, data, share, offset, pinnedAddress);
  }

  /**
   * Returns some of the bytes as a tensor for another owner, who closes it too. Null if this one is
   * closed.
   */
  public @Nullable Tensor trySharePart(Shape partShape, int from, int bytes) {
    if (data == null) {
      LateBytes part = Objects.requireNonNull(late).trySharePart(from, bytes);
      if (part != null) {
        return new Tensor(name, type, partShape, part);
      }
      if (isOnDevice()) {
        return null;
      }
      byte[] copy = new byte[bytes];
      data().get(from, copy);
      return of(name, type, partShape, ByteBuffer.wrap(copy));
    }
    ByteBuffer part = data.slice(from, bytes).order(ByteOrder.LITTLE_ENDIAN);
    Lease share = lease == null ? null : lease.tryShare();
    long partAddress = pinnedAddress == 0 ? 0 : pinnedAddress + from;
    return lease != null && share == null
        ? null
        : new Tensor(name, type, partShape, part, share, offset + from, partAddress);
  }

  /** Gives the lease back, if there is one. Closing twice is harmless. */
  @Override
  public void close() {
    if (lease != null) {
      lease.close();
    }
    if (late != null) {
      late.close();
    }
  }

  @Override
  public String toString() {
    return name + ":" + type + shape;
  }
}
