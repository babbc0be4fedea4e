package dev.conveyor.memory;

import java.nio.ByteBuffer;

/** One raw block of native memory. Not thread-safe: owned by the pool that allocated it. */
public interface Block extends AutoCloseable {

  /** Returns the native address of the first byte. */
  long address();

  long sizeBytes();

  /** Returns whether devices read and write it by themselves. */
  default boolean isPinned() {
    return false;
  }

  /** Returns a view of the whole block, little-endian; each call returns a new view. */
  ByteBuffer buffer();

  /** Gives the memory back to the system. Closing twice is harmless. */
  @Override
  void close();
}
