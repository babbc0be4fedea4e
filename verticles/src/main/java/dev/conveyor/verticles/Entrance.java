package dev.conveyor.verticles;

import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * Counts the requests that have found a version in the catalog and have not reached the scheduler
 * yet, so that nobody takes the version away under them. Image decoding may keep one there for
 * long.
 *
 * <p>Thread-safe. Invariant: after {@link #close} nobody enters, and its listener is told once,
 * when the last who is inside leaves.
 */
public final class Entrance {

  private static final int CLOSED = 1 << 31;

  /** Requests inside, and the top bit once closed. */
  private final AtomicInteger state = new AtomicInteger();

  private volatile @Nullable Runnable whenEmpty;

  /** Returns false if the version is being taken away; the caller finds another one. */
  boolean enter() {
    int now = state.get();
    while (now >= 0) {
      if (state.compareAndSet(now, now + 1)) {
        return true;
      }
      now = state.get();
    }
    return false;
  }

  /** Every successful {@link #enter} is followed by one call of this. */
  void leave() {
    if (state.decrementAndGet() == CLOSED) {
      tell();
    }
  }

  /** Lets nobody in any more. Called once; the listener may be told on any thread. */
  public void close(Runnable onceEmpty) {
    whenEmpty = onceEmpty;
    if (state.getAndUpdate(now -> now | CLOSED) == 0) {
      tell();
    }
  }

  private void tell() {
    Runnable listener = whenEmpty;
    if (listener != null) {
      listener.run();
    }
  }
}
