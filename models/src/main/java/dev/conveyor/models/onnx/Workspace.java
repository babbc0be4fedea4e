package dev.conveyor.models.onnx;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.memory.MemoryBudget.Reservation;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The memory that the runs of a session use beside its weights, in the ledger as it is measured.
 *
 * <p>A session's arena grows with the largest batch it has seen and keeps what it has. What it took
 * since the session was opened is the workspace. If the ledger has no room for it, the arena is
 * told to give back after every run what the run took, which costs time and keeps the promise.
 *
 * <p>Thread-safe: the instances of a model share it.
 */
final class Workspace implements AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(Workspace.class);

  private final String owner;
  private final LongSupplier arenaBytes;
  private final long withoutRuns;

  @GuardedBy("this")
  private final Reservation reservation;

  @GuardedBy("this")
  private boolean open = true;

  private volatile boolean shrinks;

  /**
   * Begins at what the arena holds now.
   *
   * @param owner of the model, in the ledger
   * @param arenaBytes of the session; not called after {@link #close}
   */
  Workspace(String owner, MemoryBudget budget, LongSupplier arenaBytes) {
    this.owner = owner;
    this.arenaBytes = arenaBytes;
    this.withoutRuns = arenaBytes.getAsLong();
    this.reservation = budget.reserve(owner + "/workspace", 0);
  }

  /** Looks how far the arena has grown. For after runs that may have needed more than before. */
  synchronized void measure() {
    if (!open) {
      return;
    }
    long bytes = Math.max(0, arenaBytes.getAsLong() - withoutRuns);
    if (!reservation.tryResize(bytes) && !shrinks) {
      shrinks = true;
      LOG.warn(
          "{}: a run took {} bytes of workspace, more than the budget has left; from now on it is"
              + " given back after every run",
          owner,
          bytes);
    }
  }

  /** Returns true if runs are to leave nothing in the arena. */
  boolean shrinks() {
    return shrinks;
  }

  synchronized long bytes() {
    return reservation.bytes();
  }

  @Override
  public synchronized void close() {
    open = false;
    reservation.close();
  }
}
