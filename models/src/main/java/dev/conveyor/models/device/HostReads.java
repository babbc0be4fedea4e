package dev.conveyor.models.device;

import dev.conveyor.memory.BudgetExceededException;
import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.Lease;
import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.CudaException;
import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import java.util.function.Consumer;

/**
 * Copies what was left on a device to the host, for who reads it there after all. Thread-safe.
 *
 * @param pinned lends the memory
 * @param onLost told, on any thread and perhaps again, that the device is lost, and why
 */
record HostReads(Cuda cuda, BufferPool pinned, Consumer<String> onLost) {

  /**
   * Copies to the host and waits for it. From any thread.
   *
   * @param stream of the device
   * @throws InferenceException if there is no memory for it, or the device is lost
   */
  Lease read(ResidentBlock block, long address, int bytes, long stream) {
    Lease lease = null;
    try {
      lease = pinned.acquire(bytes);
      cuda.awaitEvent(block.written);
      cuda.copyToHost(lease.address(), address, bytes, stream);
      cuda.awaitStream(stream);
      return lease;
    } catch (BudgetExceededException e) {
      throw new InferenceException(
          ErrorCode.OUT_OF_MEMORY,
          "a tensor on a GPU finds no room on the host: " + e.getMessage());
    } catch (CudaException e) {
      boolean isLost = e.isSticky() && isRefused(stream) && isRefused(stream);
      if (lease != null && (isLost || isOver(stream))) {
        lease.close();
      }
      if (isLost) {
        onLost.accept(String.valueOf(e.getMessage()));
      }
      throw new InferenceException(
          e.isOutOfMemory() ? ErrorCode.OUT_OF_MEMORY : ErrorCode.UNAVAILABLE,
          "a tensor on a GPU cannot be read: " + e.getMessage());
    }
  }

  /** A device says so every time that it is lost, and only once what was another one's error. */
  private boolean isRefused(long stream) {
    try {
      cuda.awaitStream(stream);
      return false;
    } catch (CudaException e) {
      return e.isSticky();
    }
  }

  /** Returns whether nothing writes to the host any more after a copy that failed. */
  private boolean isOver(long stream) {
    try {
      cuda.awaitStream(stream);
      return true;
    } catch (CudaException e) {
      return e.isSticky();
    }
  }
}
