package dev.conveyor.models.device;

import dev.conveyor.memory.Block;
import dev.conveyor.memory.BlockAllocator;
import dev.conveyor.memory.cuda.DevicePool;
import java.nio.ByteBuffer;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The memory of one slot: a slab on the device, and pinned memory for inputs that devices cannot
 * read. Both stay as large as the largest batch has needed them, until they are given back.
 *
 * <p>Not thread-safe: owned by whoever owns the slot.
 */
final class SlotMemory {

  private final DevicePool pool;
  private final BlockAllocator allocator;
  private long slab;
  private long slabBytes;
  private @Nullable Block staging;
  private ByteBuffer stagingBytes = ByteBuffer.allocate(0);

  /**
   * Prepares; nothing is allocated yet.
   *
   * @param allocator of pinned memory
   */
  SlotMemory(DevicePool pool, BlockAllocator allocator) {
    this.pool = pool;
    this.allocator = allocator;
  }

  /**
   * Makes room; what was in it is lost where it has to grow. Nothing may use it, and the slab is
   * there when the stream gets here.
   *
   * @throws dev.conveyor.memory.BudgetExceededException if a ledger has no room for it
   * @throws dev.conveyor.memory.cuda.CudaException if the device has none
   */
  void ensure(long bytes, long bytesToStage, long stream) {
    if (slab == 0 || bytes > slabBytes) {
      freeSlab(stream);
      slab = pool.allocate(bytes, stream);
      slabBytes = bytes;
    }
    Block held = staging;
    if (held == null || bytesToStage > held.sizeBytes()) {
      closeStaging();
      Block larger = allocator.allocate(bytesToStage);
      staging = larger;
      stagingBytes = larger.buffer();
    }
  }

  long slab() {
    return slab;
  }

  /** Returns the pinned memory, always the same view; use absolute access. */
  ByteBuffer stagingBytes() {
    return stagingBytes;
  }

  long stagingAddress() {
    return Objects.requireNonNull(staging, "no batch had room made for it").address();
  }

  /** Gives the slab back when the stream gets here. */
  void freeSlab(long stream) {
    long held = slab;
    slab = 0;
    if (held != 0) {
      pool.free(held, stream);
    }
  }

  void closeStaging() {
    Block held = staging;
    staging = null;
    if (held != null) {
      held.close();
    }
  }
}
