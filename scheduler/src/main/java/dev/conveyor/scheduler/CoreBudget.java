package dev.conveyor.scheduler;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.conveyor.scheduler.fairness.FairTurns;
import dev.conveyor.scheduler.fairness.FairTurns.Backlog;
import dev.conveyor.scheduler.fairness.FairTurns.Owner;
import dev.conveyor.scheduler.fairness.FairTurns.Piece;
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
 * computing)} run, itself included. Kinds of work take turns: a short step waits behind one image,
 * not behind all of them. Of a kind the {@link FairTurns} say whose piece is next.
 */
public final class CoreBudget {

  /** What asks for cores beside the batches. */
  public enum Work {
    DECODE,
    STEP
  }

  /** What becomes of a piece of work that wants to begin. */
  public enum Entry {
    RUNS,
    WAITS,
    FULL
  }

  /** Pieces of a kind; what they hold counts as memory of requests. */
  private static final int MAX_PIECES = 1 << 18;

  private final int cores;

  @GuardedBy("this")
  private final FairTurns images = new FairTurns(MAX_PIECES);

  @GuardedBy("this")
  private final FairTurns steps = new FairTurns(MAX_PIECES);

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
   * Asks to begin a piece of work. If it runs, or waits, it ends with {@link #leave}.
   *
   * @param piece told once when it may begin, if it waits, on the thread of whoever made room
   */
  public synchronized Entry enter(Work kind, Piece piece) {
    FairTurns turns = turns(kind);
    if (!turns.admit(piece)) {
      return Entry.FULL;
    }
    if (running < allowed()) {
      running++;
      turns.begin(piece);
      return Entry.RUNS;
    }
    turns.add(piece);
    return Entry.WAITS;
  }

  /**
   * A piece of work that had begun has ended. Only the first time counts.
   *
   * @param tookNs how long it ran
   * @param whole whether it was done, so that its like will take as long
   */
  public void leave(Work kind, Piece piece, long tookNs, boolean whole) {
    Piece next;
    synchronized (this) {
      if (!turns(kind).end(piece, tookNs, whole)) {
        return;
      }
      running--;
      next = poll();
    }
    while (next != null) {
      next.go();
      next = next();
    }
  }

  /** Takes note of how many threads compute batches from now on. */
  public void computing(int threads) {
    synchronized (this) {
      computing = threads;
    }
    for (Piece next = next(); next != null; next = next()) {
      next.go();
    }
  }

  /** Returns how many pieces wait. */
  public synchronized int waiting() {
    return images.waiting() + steps.waiting();
  }

  /** Returns what an owner's next piece has before it now. */
  public synchronized Backlog backlog(Work kind, Owner owner) {
    return turns(kind).backlog(owner, allowed());
  }

  private synchronized @Nullable Piece next() {
    return poll();
  }

  @GuardedBy("this")
  private @Nullable Piece poll() {
    if (running >= allowed()) {
      return null;
    }
    boolean image = steps.waiting() == 0 || (!imageWasLast && images.waiting() > 0);
    Piece next = (image ? images : steps).poll();
    if (next != null) {
      imageWasLast = image;
      running++;
    }
    return next;
  }

  @GuardedBy("this")
  private FairTurns turns(Work kind) {
    return switch (kind) {
      case DECODE -> images;
      case STEP -> steps;
    };
  }

  @GuardedBy("this")
  private int allowed() {
    return Math.max(1, cores - computing);
  }
}
