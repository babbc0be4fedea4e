package dev.conveyor.memory;

import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * A part of a {@link BufferPool}'s bytes that its owner holds on the heap, so that one cap bounds
 * both. Accounting only: it allocates nothing.
 *
 * <p>Not thread-safe: one owner at a time grows it. {@link #close} alone may be called from any
 * thread, and twice.
 */
public final class HeapShare implements AutoCloseable {

  private final BufferPool pool;
  private volatile @Nullable PoolShare owner;
  private final AtomicBoolean open = new AtomicBoolean(true);
  private long sizeBytes;

  HeapShare(BufferPool pool, @Nullable PoolShare owner) {
    this.pool = pool;
    this.owner = owner;
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
    PoolShare model = owner;
    if (model != null) {
      model.hold(bytes - sizeBytes);
    }
    sizeBytes = bytes;
    return true;
  }

  /** Counts it as held by the requests of a model, too, from now on; once, by its owner. */
  public void assignTo(PoolShare model) {
    if (owner == null && open.get()) {
      model.hold(sizeBytes);
      owner = model;
    }
  }

  @Override
  public void close() {
    if (open.compareAndSet(true, false)) {
      pool.giveBackHeap(sizeBytes);
      PoolShare model = owner;
      if (model != null) {
        model.release(sizeBytes);
      }
    }
  }
}
