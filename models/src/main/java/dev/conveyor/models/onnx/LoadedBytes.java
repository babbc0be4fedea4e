package dev.conveyor.models.onnx;

import dev.conveyor.memory.BudgetExceededException;
import dev.conveyor.memory.HostAllocator;
import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.memory.MemoryBudget.Reservation;
import dev.conveyor.models.device.PatientLock;
import java.util.OptionalLong;
import java.util.function.Supplier;
import org.bytedeco.onnxruntime.Session;

/**
 * Opens one session at a time and measures what it took from the C allocator.
 *
 * <p>The file says little: graphs are folded, weights are packed for the kernels, and files that
 * make their weights as they load are small. The allocator's books are exact but those of the
 * process, in which others allocate at the same time; what they put into the same ledger is taken
 * off, and a difference below {@link #SIGNIFICANT_BYTES}, which the JVM's compiler makes in
 * passing, is not believed. What the session's arena holds is believed always.
 *
 * <p>A session that does not open at all holds up nobody for good: those that have waited long
 * enough are opened beside it and are believed by their file and their arena alone.
 *
 * <p>Thread-safe.
 */
final class LoadedBytes {

  static final long SIGNIFICANT_BYTES = 32L << 20;

  private final PatientLock oneAtATime;

  /** A session, and what it takes in the ledger. */
  record Opened(Session session, Reservation weights) {}

  /**
   * Creates it; sessions that are opened with another one are not told apart.
   *
   * @param oneAtATime had alone by who measures
   */
  LoadedBytes(PatientLock oneAtATime) {
    this.oneAtATime = oneAtATime;
  }

  /**
   * Opens a session and reserves what it takes without its runs. Both while no other is opened,
   * which would take a reservation for something that came while it is measured.
   *
   * @param certain reserves what it takes certainly
   * @throws BudgetExceededException if there is no room for it; nothing is left of it then
   */
  Opened open(Supplier<Session> opener, MemoryBudget budget, Supplier<Reservation> certain) {
    boolean alone = oneAtATime.takeAlone();
    try {
      Reservation weights = certain.get();
      try {
        Session session =
            alone ? measured(opener, budget, weights) : reserved(opener.get(), weights, 0);
        return new Opened(session, weights);
      } catch (RuntimeException | Error e) {
        weights.close();
        throw e;
      }
    } finally {
      if (alone) {
        oneAtATime.endAlone();
      }
    }
  }

  private static Session measured(
      Supplier<Session> opener, MemoryBudget budget, Reservation weights) {
    long othersBefore = budget.reservedBytes();
    OptionalLong before = HostAllocator.allocatedBytes();
    Session session = opener.get();
    OptionalLong after = HostAllocator.allocatedBytes();
    long grown = 0;
    if (before.isPresent() && after.isPresent()) {
      long others = Math.max(0, budget.reservedBytes() - othersBefore);
      grown = after.getAsLong() - before.getAsLong() - others;
    }
    return reserved(session, weights, grown);
  }

  /** Returns the session once it has its place in the ledger. */
  private static Session reserved(Session session, Reservation weights, long grownBytes) {
    long floor = Math.max(weights.bytes(), ArenaBytes.onHost(session));
    try {
      weights.resize(grownBytes >= SIGNIFICANT_BYTES ? Math.max(floor, grownBytes) : floor);
      return session;
    } catch (BudgetExceededException e) {
      session.close();
      throw e;
    }
  }
}
