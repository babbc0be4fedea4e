package dev.conveyor.memory;

import java.util.concurrent.atomic.AtomicBoolean;

/**
 * A part of a {@link BufferPool}'s bytes that its owner holds on the heap, so that one cap bounds
 * both. Accounting only: it allocates nothing.
 *
 * <p>Not thread-safe: one owner at a time grows it. {@link #close} alone may be called from any
 * thread, and twice.
 */
public final class HeapShare implements AutoCloseable {

  private final BufferPool pool;
  private final AtomicBoolean open = new AtomicBoolean(true);
  private long sizeBytes;

  HeapShare(BufferPool pool) {
    this.pool = pool;
  }

  /** Returns the bytes held. */
  public long sizeBytes() {
    return sizeBytes;
  }

  /** Makes it at least as large; returns false, and changes nothing, if that is over the cap. */
  public boolean growTo(long bytes) {
    if (bytes <= sizeBytes) {
      return true;
    }
    if (!open.get() || !pool.takeHeap(bytes - sizeBytes)) {
      return false;
    }
    sizeBytes = bytes;
    return true;
  }

  @Override
  public void close() {
    if (open.compareAndSet(true, false)) {
      pool.giveBackHeap(sizeBytes);
    }
  }
}
