package dev.conveyor.memory;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * Who waits for memory to come back, in the order in which they came.
 *
 * <p>Not thread-safe: guarded by the lock of its {@link BufferPool}.
 *
 * <p>Above the high-water mark newcomers wait; below the low-water mark as many are let go as fit
 * below the high-water mark. The gap between the two keeps a pool that is nearly full from waking
 * somebody for every block that comes back.
 */
final class WaitingRoom {

  private static final double HIGH = 0.8;
  private static final double LOW = 0.5;

  /** One who waits. Equal to itself only. */
  static final class Waiter {
    private final long bytes;
    private final Runnable wakeUp;

    Waiter(long bytes, Runnable wakeUp) {
      this.bytes = bytes;
      this.wakeUp = wakeUp;
    }
  }

  private final long highBytes;
  private final long lowBytes;
  private final Set<Waiter> waiters = new LinkedHashSet<>();

  WaitingRoom(long maxBytes) {
    this.highBytes = (long) (maxBytes * HIGH);
    this.lowBytes = (long) (maxBytes * LOW);
  }

  boolean isHigh(long usedBytes) {
    return usedBytes > highBytes;
  }

  boolean isLow(long usedBytes) {
    return usedBytes <= lowBytes;
  }

  void add(Waiter waiter) {
    waiters.add(waiter);
  }

  void remove(Waiter waiter) {
    waiters.remove(waiter);
  }

  int size() {
    return waiters.size();
  }

  /** Takes out who may go on; at least one, if anybody waits and the mark is reached. */
  List<Runnable> release(long usedBytes) {
    if (waiters.isEmpty() || !isLow(usedBytes)) {
      return List.of();
    }
    List<Runnable> released = new ArrayList<>();
    long expectedBytes = usedBytes;
    Iterator<Waiter> all = waiters.iterator();
    while (all.hasNext()) {
      Waiter next = all.next();
      if (!released.isEmpty() && next.bytes > highBytes - expectedBytes) {
        break;
      }
      all.remove();
      released.add(next.wakeUp);
      expectedBytes += next.bytes;
    }
    return released;
  }
}
