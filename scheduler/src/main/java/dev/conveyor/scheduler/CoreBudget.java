package dev.conveyor.scheduler;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.util.ArrayDeque;
import java.util.Deque;
import org.jspecify.annotations.Nullable;

/**
 * The cores of a machine, divided between batches that compute and work beside them: images that
 * are decoded, steps without a model. Work begins only while there are cores that no batch keeps
 * busy; one piece may always run, for without it batches would run out of input.
 *
 * <p>So the next images are decoded while a batch computes, and however many wait, they take at
 * most one thread more than there are cores: on all its cores, what computes keeps at least {@code
 * cores / (cores + 1)} of its speed. What has begun is not interrupted; pieces are milliseconds.
 *
 * <p>Thread-safe. Reads no clock. Invariant: when a piece begins, at most {@code max(1, cores -
 * computing)} run, itself included. Kinds of work take turns, each in the order it came: a short
 * step waits behind one image, not behind all of them.
 */
public final class CoreBudget {

  /** What asks for cores beside the batches. */
  public enum Work {
    DECODE,
    STEP
  }

  private final int cores;

  @GuardedBy("this")
  private final Deque<Runnable> images = new ArrayDeque<>();

  @GuardedBy("this")
  private final Deque<Runnable> steps = new ArrayDeque<>();

  @GuardedBy("this")
  private int computing;

  @GuardedBy("this")
  private int running;

  @GuardedBy("this")
  private boolean imageWasLast;

  public CoreBudget(int cores) {
    if (cores < 1) {
      throw new IllegalArgumentException("cores must be >= 1, was " + cores);
    }
    this.cores = cores;
  }

  /**
   * Asks to begin a piece of work, which ends with {@link #leave}.
   *
   * @param go called once when it may begin, on the thread of whoever made room; never if this
   *     returns true
   * @return whether it may begin now
   */
  public synchronized boolean enter(Work kind, Runnable go) {
    if (running < allowed()) {
      running++;
      return true;
    }
    (kind == Work.DECODE ? images : steps).add(go);
    return false;
  }

  /** A piece of work has ended. */
  public void leave() {
    Runnable next;
    synchronized (this) {
      running--;
      next = poll();
    }
    while (next != null) {
      next.run();
      next = next();
    }
  }

  /** Takes note of how many threads compute batches from now on. */
  public void computing(int threads) {
    synchronized (this) {
      computing = threads;
    }
    for (Runnable next = next(); next != null; next = next()) {
      next.run();
    }
  }

  /** Returns how many pieces wait. */
  public synchronized int waiting() {
    return images.size() + steps.size();
  }

  /** Returns how many pieces may run at a time now, at least 1. */
  public synchronized int allowance() {
    return allowed();
  }

  private synchronized @Nullable Runnable next() {
    return poll();
  }

  @GuardedBy("this")
  private @Nullable Runnable poll() {
    if (running >= allowed()) {
      return null;
    }
    boolean image = steps.isEmpty() || (!imageWasLast && !images.isEmpty());
    Runnable next = (image ? images : steps).poll();
    if (next != null) {
      imageWasLast = image;
      running++;
    }
    return next;
  }

  @GuardedBy("this")
  private int allowed() {
    return Math.max(1, cores - computing);
  }
}
