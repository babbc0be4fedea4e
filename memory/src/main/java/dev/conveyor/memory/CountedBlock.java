package dev.conveyor.memory;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Memory that a pool counts but neither allocated nor keeps: whoever forgets it frees it. */
record CountedBlock(ByteBuffer bytes) implements Block {

  /** Devices do not read it, so nobody asks. */
  @Override
  public long address() {
    throw new UnsupportedOperationException("memory that is only counted has no known address");
  }

  @Override
  public long sizeBytes() {
    return bytes.limit();
  }

  @Override
  public ByteBuffer buffer() {
    return bytes.duplicate().order(ByteOrder.LITTLE_ENDIAN);
  }

  @Override
  public void close() {}
}
