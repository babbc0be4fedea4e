package dev.conveyor.models.onnx;

import dev.conveyor.memory.BudgetExceededException;
import dev.conveyor.memory.HostAllocator;
import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.memory.MemoryBudget.Reservation;
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
 * <p>Thread-safe.
 */
final class LoadedBytes {

  static final long SIGNIFICANT_BYTES = 32L << 20;

  private static final Object ONE_AT_A_TIME = new Object();

  private LoadedBytes() {}

  /**
   * Opens a session and has a reservation hold what it takes without its runs: in the ledger before
   * the next one opens, which would count it as something that comes while it is measured.
   *
   * @param weights holds the bytes that it takes certainly
   * @throws BudgetExceededException if there is no room for it; it is closed again
   */
  static Session open(Supplier<Session> opener, MemoryBudget budget, Reservation weights) {
    synchronized (ONE_AT_A_TIME) {
      long othersBefore = budget.reservedBytes();
      OptionalLong before = HostAllocator.allocatedBytes();
      Session session = opener.get();
      OptionalLong after = HostAllocator.allocatedBytes();
      long grown = 0;
      if (before.isPresent() && after.isPresent()) {
        long others = Math.max(0, budget.reservedBytes() - othersBefore);
        grown = after.getAsLong() - before.getAsLong() - others;
      }
      long floor = Math.max(weights.bytes(), ArenaBytes.onHost(session));
      try {
        weights.resize(grown >= SIGNIFICANT_BYTES ? Math.max(floor, grown) : floor);
        return session;
      } catch (BudgetExceededException e) {
        session.close();
        throw e;
      }
    }
  }
}
