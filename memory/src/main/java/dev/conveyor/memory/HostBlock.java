package dev.conveyor.memory;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;

/** Host memory from the C allocator. One block is at most 2 GiB - 1: a byte buffer views it. */
final class HostBlock implements Block {

  private static final int ALIGNMENT_BYTES = 64;

  private final Pointer allocation;
  private final long address;
  private final long sizeBytes;
  private boolean open = true;

  HostBlock(long sizeBytes) {
    if (sizeBytes <= 0 || sizeBytes > Integer.MAX_VALUE - ALIGNMENT_BYTES) {
      throw new IllegalArgumentException("a block has 1 to 2^31-65 bytes, was " + sizeBytes);
    }
    allocation = Pointer.malloc(sizeBytes + ALIGNMENT_BYTES);
    if (allocation == null || allocation.isNull()) {
      throw new OutOfMemoryError("malloc of " + sizeBytes + " bytes failed");
    }
    this.address = (allocation.address() + ALIGNMENT_BYTES - 1) & -ALIGNMENT_BYTES;
    this.sizeBytes = sizeBytes;
  }

  @Override
  public long address() {
    return address;
  }

  @Override
  public long sizeBytes() {
    return sizeBytes;
  }

  @Override
  public ByteBuffer buffer() {
    BytePointer view = new BytePointer(allocation);
    long offset = address - allocation.address();
    return view.position(offset)
        .capacity(offset + sizeBytes)
        .asByteBuffer() // begins at the allocation, positioned where the block begins
        .slice()
        .order(ByteOrder.LITTLE_ENDIAN);
  }

  @Override
  public void close() {
    if (open) {
      open = false;
      Pointer.free(allocation);
    }
  }
}
