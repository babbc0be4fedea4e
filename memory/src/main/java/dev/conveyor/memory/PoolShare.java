package dev.conveyor.memory;

import com.google.errorprone.annotations.CheckReturnValue;
import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * What the requests of one model hold of a {@link BufferPool}, so that a model that is stuck does
 * not take the memory of all.
 *
 * <p>Thread-safe. Whoever has not begun yet waits above half of the pool, with those of the same
 * model only, until a good third is left; who has begun goes on, as with the pool itself.
 */
@CheckReturnValue
public final class PoolShare {

  /** Of the pool's bytes; with the marks of a waiting room, half of the pool. */
  private static final double PART = 0.625;

  private final BufferPool pool;

  @GuardedBy("this")
  private final WaitingRoom waiting;

  @GuardedBy("this")
  private long heldBytes;

  PoolShare(BufferPool pool) {
    this.pool = pool;
    this.waiting = new WaitingRoom((long) (pool.maxBytes() * PART));
  }

  /** As {@link BufferPool#tryAcquire}. */
  public Optional<Lease> tryAcquire(long bytes) {
    Optional<Lease> lease = pool.tryAcquire(bytes, this);
    if (lease.isPresent()) {
      hold(bytes);
    }
    return lease;
  }

  /** As {@link BufferPool#heapShare}. */
  public HeapShare heapShare() {
    return new HeapShare(pool, this);
  }

  /** As {@link BufferPool#awaitRoom}, for room in this share and then in the pool. */
  public @Nullable Runnable awaitRoom(long bytes, Runnable wakeUp) {
    synchronized (this) {
      if (waiting.isHigh(heldBytes)) {
        WaitingRoom.Waiter waiter = new WaitingRoom.Waiter(bytes, wakeUp);
        waiting.add(waiter);
        return () -> leave(waiter);
      }
    }
    return pool.awaitRoom(bytes, wakeUp);
  }

  /** As {@link BufferPool#wakeWaiters}. */
  public void wakeWaiters() {
    List<Runnable> released;
    synchronized (this) {
      released = waiting.release(heldBytes);
    }
    released.forEach(Runnable::run);
    pool.wakeWaiters();
  }

  /** Returns true above the mark: what cannot wait is better refused. */
  public synchronized boolean isFull() {
    return waiting.isHigh(heldBytes);
  }

  public synchronized long heldBytes() {
    return heldBytes;
  }

  /** Returns how many wait for room in this share. */
  public synchronized int waiters() {
    return waiting.size();
  }

  synchronized void hold(long bytes) {
    heldBytes += bytes;
  }

  void release(long bytes) {
    List<Runnable> released;
    synchronized (this) {
      heldBytes -= bytes;
      released = waiting.release(heldBytes);
    }
    released.forEach(Runnable::run);
  }

  private synchronized void leave(WaitingRoom.Waiter waiter) {
    waiting.remove(waiter);
  }
}
