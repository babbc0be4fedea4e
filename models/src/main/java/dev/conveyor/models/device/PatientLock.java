package dev.conveyor.models.device;

import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import org.jspecify.annotations.Nullable;

/**
 * A lock that is had alone or shared, and that nobody waits for once it was held alone for too
 * long.
 *
 * <p>For what runs native code that may never come back, and that is done alone only so that it is
 * measured well: whoever does not get the lock goes on without it. Thread-safe.
 */
public final class PatientLock {

  private final ReentrantReadWriteLock lock = new ReentrantReadWriteLock(true);
  private final long patienceNs;

  /** When nobody waits any more for who has it alone; null if nobody has. */
  private volatile @Nullable Long untilNs;

  /**
   * Creates it.
   *
   * @param patience from when somebody has it alone until the others wait no more
   */
  public PatientLock(Duration patience) {
    this.patienceNs = patience.toNanos();
  }

  /** Waits for it; false if it is not the caller's. The same thread ends what it has taken. */
  public boolean takeAlone() {
    return takeAlone(patienceNs);
  }

  /**
   * As the other, for who ends it for sure, if not soon: others wait so long.
   *
   * @param limit longest that this may take
   */
  public boolean takeAlone(Duration limit) {
    return takeAlone(limit.toNanos());
  }

  private boolean takeAlone(long limitNs) {
    boolean taken = take(lock.writeLock());
    if (taken) {
      untilNs = System.nanoTime() + limitNs;
    }
    return taken;
  }

  /** Lets others go on, by who has it alone. */
  public void endAlone() {
    untilNs = null;
    lock.writeLock().unlock();
  }

  /** Waits until nobody has it alone; false if somebody still has. */
  public boolean takeShared() {
    return take(lock.readLock());
  }

  /** Lets others go on, by who shares it. */
  public void endShared() {
    lock.readLock().unlock();
  }

  private boolean take(Lock side) {
    long begunNs = System.nanoTime();
    try {
      long leftNs = leftNs(begunNs);
      // Whoever comes next may be quick, even if the one before was not.
      while (!side.tryLock(leftNs, TimeUnit.NANOSECONDS)) {
        leftNs = leftNs(begunNs);
        if (leftNs <= 0) {
          return false;
        }
      }
      return true;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  private long leftNs(long begunNs) {
    Long endNs = untilNs;
    return (endNs == null ? begunNs + patienceNs : endNs) - System.nanoTime();
  }
}
