package dev.conveyor.memory;

import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * A block lent by a {@link BufferPool} to one owner, until {@link #close}.
 *
 * <p>Not thread-safe: one owner at a time uses the bytes; passing the lease on passes the duty to
 * close it. {@link #close} alone may be called from any thread, and twice.
 *
 * <p>Where several parts of a block have owners of their own, each gets a {@link #share}: the block
 * goes back when the lease and all its shares are closed.
 */
public final class Lease implements AutoCloseable {

  private final BufferPool pool;
  private final Block block;
  private final ByteBuffer buffer;
  private final long sizeBytes;
  private final AtomicInteger holders;
  private final @Nullable PoolShare share;
  private final AtomicBoolean open = new AtomicBoolean(true);

  Lease(BufferPool pool, Block block, ByteBuffer view, long sizeBytes, @Nullable PoolShare share) {
    this(pool, block, view, sizeBytes, share, new AtomicInteger(1));
  }

  private Lease(
      BufferPool pool,
      Block block,
      ByteBuffer view,
      long sizeBytes,
      @Nullable PoolShare share,
      AtomicInteger holders) {
    this.share = share;
    this.pool = pool;
    this.block = block;
    this.sizeBytes = sizeBytes;
    this.buffer = view;
    this.holders = holders;
  }

  /**
   * Returns another lease of the same bytes, to be closed on its own.
   *
   * @throws IllegalStateException if this one is closed
   */
  public Lease share() {
    Lease share = tryShare();
    if (share == null) {
      throw new IllegalStateException("the lease is closed");
    }
    return share;
  }

  /**
   * Returns another lease of the same bytes, or null if this one is closed. Unlike {@link #share}
   * it may race with {@link #close} on another thread: either the bytes stay or null is returned.
   */
  public @Nullable Lease tryShare() {
    int count = holders.get();
    while (open.get() && count > 0) {
      if (holders.compareAndSet(count, count + 1)) {
        return new Lease(pool, block, buffer, sizeBytes, share, holders);
      }
      count = holders.get();
    }
    return null;
  }

  /** Returns whether both are leases of the same memory. */
  public boolean isShareOf(Lease other) {
    return block == other.block;
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

  /** Returns what the pool counts it for: the whole block. */
  long blockBytes() {
    return block.sizeBytes();
  }

  /** Returns whether devices read and write it by themselves. */
  public boolean isPinned() {
    return block.isPinned();
  }

  @Override
  public void close() {
    if (open.compareAndSet(true, false) && holders.decrementAndGet() == 0) {
      pool.giveBack(block);
      if (share != null) {
        share.release(block.sizeBytes());
      }
    }
  }
}
