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
    lease.ifPresent(held -> hold(held.blockBytes()));
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
        Place place = new Place(bytes, wakeUp);
        waiting.add(place.waiter);
        return place::leave;
      }
    }
    return pool.awaitRoom(bytes, wakeUp);
  }

  /** Returns the pool that it is a share of. */
  public BufferPool pool() {
    return pool;
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

  /** Who waits in this share, and then with everybody. Thread-safe. */
  private final class Place {
    private final long bytes;
    private final Runnable wakeUp;
    private final WaitingRoom.Waiter waiter;

    @GuardedBy("this")
    private @Nullable Runnable leavePool;

    @GuardedBy("this")
    private boolean left;

    Place(long bytes, Runnable wakeUp) {
      this.bytes = bytes;
      this.wakeUp = wakeUp;
      this.waiter = new WaitingRoom.Waiter(bytes, this::goOn);
    }

    private void goOn() {
      boolean unwanted;
      boolean waitsOn;
      synchronized (this) {
        unwanted = left;
        leavePool = unwanted ? null : pool.awaitRoom(bytes, wakeUp);
        waitsOn = leavePool != null;
      }
      if (unwanted) {
        wakeWaiters(); // somebody else can have the room
      } else if (!waitsOn) {
        wakeUp.run();
      }
    }

    void leave() {
      PoolShare.this.leave(waiter);
      synchronized (this) {
        left = true;
        if (leavePool != null) {
          leavePool.run();
        }
      }
    }
  }
}
