package dev.conveyor.verticles;

import dev.conveyor.memory.Block;
import dev.conveyor.memory.BlockAllocator;
import dev.conveyor.memory.cuda.CudaException;

/**
 * Pinned memory as long as there is some, and ordinary memory of the host when there is not, or
 * when the device is lost: requests then go on. Thread-safe: no state.
 */
record PinnedFirst(BlockAllocator pinned, BlockAllocator ordinary) implements BlockAllocator {

  @Override
  public Block allocate(long bytes) {
    try {
      return pinned.allocate(bytes);
    } catch (CudaException e) {
      return ordinary.allocate(bytes);
    }
  }
}
