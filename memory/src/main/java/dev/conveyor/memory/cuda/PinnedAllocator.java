package dev.conveyor.memory.cuda;

import dev.conveyor.memory.Block;
import dev.conveyor.memory.BlockAllocator;
import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.memory.MemoryBudget.Reservation;

/**
 * Allocates host memory that devices read and write by themselves, while the host does something
 * else. It cannot be swapped out, so what is allocated is in the host's ledger.
 *
 * <p>Thread-safe. Allocating takes milliseconds and may synchronise with devices: meant to stand
 * beneath a pool.
 */
public final class PinnedAllocator implements BlockAllocator {

  private final Cuda cuda;
  private final MemoryBudget budget;
  private final String owner;

  public PinnedAllocator(Cuda cuda, MemoryBudget budget, String owner) {
    this.cuda = cuda;
    this.budget = budget;
    this.owner = owner;
  }

  /**
   * Allocates {@code bytes}, page-aligned.
   *
   * @throws CudaException if the system has no more
   * @throws dev.conveyor.memory.BudgetExceededException if the ledger has no room
   */
  @Override
  public Block allocate(long bytes) {
    Reservation reservation = budget.reserve(owner, bytes);
    try {
      return new PinnedBlock(cuda, cuda.allocatePinned(bytes), bytes, reservation);
    } catch (RuntimeException e) {
      reservation.close();
      throw e;
    }
  }
}
