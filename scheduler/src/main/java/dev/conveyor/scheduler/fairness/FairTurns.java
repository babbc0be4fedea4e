package dev.conveyor.scheduler.fairness;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.LinkedHashSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Work of several owners that waits for a thread, and whose turn it is: the pieces of each in the
 * order they came, the owners in proportion to their weights by the time that their pieces take
 * ({@link StartTimeFairQueue}). So whoever has little is served next, however much others have
 * waiting: behind what has begun, and at equal tags behind one piece of each.
 *
 * <p>Not thread-safe: owned by whoever has the threads. Reads no clock. A piece is charged with the
 * mean of its owner's lately when it begins, and with what it took when it ends.
 *
 * <p>Invariant: an owner is in {@code backlogged} while it has pieces that wait, and in {@code
 * busy} while it has any that are not over.
 */
public final class FairTurns {

  /** Of the exponentially weighted mean. */
  private static final int WEIGHT = 8;

  /** Who shares, with pieces that are alike. Not thread-safe: owned by the turns it takes. */
  public static final class Owner {
    private final double weight;
    private final int maxPieces;
    private final Deque<Piece> waiting = new ArrayDeque<>();
    private final IndexedHeap.Node<Owner> place = new IndexedHeap.Node<>(this);
    private StartTimeFairQueue.@Nullable Flow flow;
    private int pieces;
    private double meanNs;

    /**
     * Creates one that has had nothing yet.
     *
     * @param weight share of the threads against other owners, above 0
     * @param maxPieces most that wait or run
     */
    public Owner(double weight, int maxPieces) {
      this.weight = weight;
      this.maxPieces = maxPieces;
    }

    private double pendingNs() {
      return pieces * meanNs;
    }
  }

  /** A piece of work, which begins once and ends once. */
  public static final class Piece {
    private final Owner owner;
    private final Runnable go;
    private double chargedNs;
    private boolean over;

    /**
     * Creates a piece.
     *
     * @param go has it begin, if it had to wait
     */
    public Piece(Owner owner, Runnable go) {
      this.owner = owner;
      this.go = go;
    }

    /** Has it begin. */
    public void go() {
      go.run();
    }
  }

  /**
   * What an owner's next piece has before it.
   *
   * @param pieces of the owner, that wait or run
   * @param pieceNs what one takes, by those before it; 0 if nothing is known
   * @param doneNs after how long one more would be done; 0 while the owner has none, or nothing is
   *     known
   */
  public record Backlog(int pieces, long pieceNs, long doneNs) {}

  private final int maxPieces;
  private final StartTimeFairQueue shares = new StartTimeFairQueue();
  private final IndexedHeap<Owner> backlogged = new IndexedHeap<>();
  private final Set<Owner> busy = new LinkedHashSet<>();
  private int pieces;
  private int waiting;
  private double turns;

  /**
   * Creates turns that nobody waits for.
   *
   * @param maxPieces most that wait or run, of all owners together
   */
  public FairTurns(int maxPieces) {
    this.maxPieces = maxPieces;
  }

  /** Takes a piece in, for {@link #begin} or {@link #add}; returns false if that is too much. */
  public boolean admit(Piece piece) {
    Owner owner = piece.owner;
    if (pieces >= maxPieces || owner.pieces >= owner.maxPieces) {
      return false;
    }
    pieces++;
    owner.pieces++;
    busy.add(owner);
    return true;
  }

  /** A piece begins that had not to wait. */
  public void begin(Piece piece) {
    Owner owner = piece.owner;
    if (owner.waiting.isEmpty()) {
      shares.activate(flow(owner));
    }
    charge(piece);
    reorder(owner);
  }

  /** A piece waits for its turn. */
  public void add(Piece piece) {
    Owner owner = piece.owner;
    waiting++;
    owner.waiting.add(piece);
    if (!owner.place.isIn()) {
      StartTimeFairQueue.Flow flow = flow(owner);
      shares.activate(flow);
      backlogged.set(owner.place, shares.startTag(flow), ++turns);
    }
  }

  /** Returns the piece whose turn it is, which begins; null if none waits. */
  public @Nullable Piece poll() {
    IndexedHeap.Node<Owner> first = backlogged.peek();
    if (first == null) {
      return null;
    }
    Owner owner = first.value();
    Piece piece = owner.waiting.remove();
    waiting--;
    charge(piece);
    if (owner.waiting.isEmpty()) {
      backlogged.remove(first);
    } else {
      backlogged.set(first, shares.startTag(flow(owner)), ++turns);
    }
    return piece;
  }

  /**
   * A piece that had begun is over.
   *
   * @param tookNs the time that it had a thread
   * @param whole whether it was done, so that its like will take as long; false for what was given
   *     up or failed
   * @return false, changing nothing, if it was over before
   */
  public boolean end(Piece piece, long tookNs, boolean whole) {
    if (piece.over) {
      return false;
    }
    piece.over = true;
    Owner owner = piece.owner;
    shares.complete(flow(owner), piece.chargedNs, (double) tookNs);
    reorder(owner);
    if (whole) {
      owner.meanNs += (tookNs - owner.meanNs) / (owner.meanNs == 0 ? 1 : WEIGHT);
    }
    if (--owner.pieces == 0) {
      busy.remove(owner);
    }
    if (--pieces == 0) {
      shares.rest();
    }
    return true;
  }

  /** Returns how many pieces wait. */
  public int waiting() {
    return waiting;
  }

  /**
   * Returns what an owner's next piece has before it: all of the owner's, and of each other as much
   * as its weight gets it until those are through. What has only begun is counted in full.
   *
   * @param threads how many pieces run at a time
   */
  public Backlog backlog(Owner owner, int threads) {
    double ownNs = owner.pendingNs();
    double aheadNs = ownNs;
    for (Owner other : busy) {
      if (other != owner) {
        aheadNs += Math.min(other.pendingNs(), ownNs * other.weight / owner.weight);
      }
    }
    long doneNs = ownNs == 0 ? 0 : (long) (aheadNs / threads + owner.meanNs);
    return new Backlog(owner.pieces, (long) owner.meanNs, doneNs);
  }

  private void charge(Piece piece) {
    piece.chargedNs = piece.owner.meanNs;
    shares.dispatch(flow(piece.owner), piece.chargedNs);
  }

  /** Puts an owner that waits where its tag belongs now; it keeps its place among equals. */
  private void reorder(Owner owner) {
    if (owner.place.isIn()) {
      backlogged.set(owner.place, shares.startTag(flow(owner)), owner.place.tie());
    }
  }

  private StartTimeFairQueue.Flow flow(Owner owner) {
    StartTimeFairQueue.Flow flow = owner.flow;
    if (flow == null) {
      flow = shares.addFlow(owner.weight);
      owner.flow = flow;
    }
    return flow;
  }
}
