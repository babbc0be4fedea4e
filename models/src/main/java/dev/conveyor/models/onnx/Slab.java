package dev.conveyor.models.onnx;

import dev.conveyor.memory.Block;
import dev.conveyor.memory.BlockAllocator;
import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.memory.MemoryBudget.Reservation;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;
import org.jspecify.annotations.Nullable;

/**
 * The native memory in which one input or output of a batch lies contiguously. Thread-confined: it
 * belongs to one executor. Grows on demand when shapes vary; what it holds is in the ledger.
 */
final class Slab implements AutoCloseable {

  private static final int MIN_BYTES = 64;

  private final MemoryBudget budget;
  private final String owner;
  private @Nullable Block block;
  private @Nullable Reservation reservation;
  private ByteBuffer bytes = ByteBuffer.allocateDirect(0);

  Slab(MemoryBudget budget, String owner) {
    this.budget = budget;
    this.owner = owner;
  }

  /**
   * Makes room; what was in it is lost when it has to grow.
   *
   * @return true if the address changed
   * @throws dev.conveyor.memory.BudgetExceededException if the device's budget has no room
   */
  boolean ensure(long sizeBytes) {
    if (block != null && block.sizeBytes() >= sizeBytes) {
      return false;
    }
    close();
    reservation = budget.reserve(owner, Math.max(MIN_BYTES, sizeBytes));
    block = BlockAllocator.host().allocate(Math.max(MIN_BYTES, sizeBytes));
    bytes = block.buffer().order(ByteOrder.LITTLE_ENDIAN);
    return true;
  }

  /** Returns the whole block, always the same view; use absolute access. */
  ByteBuffer bytes() {
    return bytes;
  }

  /** Returns a new pointer to the first byte; closing it frees nothing. */
  Pointer pointer() {
    return new BytePointer(bytes);
  }

  @Override
  public void close() {
    if (block != null) {
      block.close();
      block = null;
    }
    if (reservation != null) {
      reservation.close();
      reservation = null;
    }
  }
}
