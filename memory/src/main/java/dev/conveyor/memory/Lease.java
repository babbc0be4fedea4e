package dev.conveyor.memory;

import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * A block lent by a {@link BufferPool} to one owner, until {@link #close}.
 *
 * <p>Not thread-safe: one owner at a time uses the bytes; passing the lease on passes the duty to
 * close it. {@link #close} alone may be called from any thread, and twice.
 */
public final class Lease implements AutoCloseable {

  private final BufferPool pool;
  private final Block block;
  private final ByteBuffer buffer;
  private final long sizeBytes;
  private final AtomicBoolean open = new AtomicBoolean(true);

  Lease(BufferPool pool, Block block, ByteBuffer view, long sizeBytes) {
    this.pool = pool;
    this.block = block;
    this.sizeBytes = sizeBytes;
    this.buffer = view;
  }

  /** Returns the bytes asked for, little-endian, always the same view. */
  public ByteBuffer buffer() {
    return buffer;
  }

  public long address() {
    return block.address();
  }

  public long sizeBytes() {
    return sizeBytes;
  }

  @Override
  public void close() {
    if (open.compareAndSet(true, false)) {
      pool.giveBack(block);
    }
  }
}
