package dev.conveyor.models.device;

import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.CudaException;
import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.PixelWork;
import org.jspecify.annotations.Nullable;

/**
 * Works on the pixels of tensors in a {@link ResidentPool}, which stay there; so do the results.
 *
 * <p>Thread-safe. One piece of work is enqueued at a time, under the lock of this object, as all
 * share a stream and the arguments of the kernels. Order of locks: this one, then that of the pool,
 * which batches take too; who has the pool's never waits for this one.
 */
final class ResidentPixels {

  private final Cuda cuda;
  private final int device;
  private final ResidentPool pool;
  private final DevicePixels kernels;

  /**
   * Creates it; asks nothing of the device yet.
   *
   * @param pool has the tensors, and room for what is made of them
   */
  ResidentPixels(Cuda cuda, int device, ResidentPool pool) {
    this.cuda = cuda;
    this.device = device;
    this.pool = pool;
    this.kernels = new DevicePixels(cuda, device);
  }

  /** Returns whether the device, or this machine, does not do it, which the first try finds out. */
  boolean isRefused() {
    return kernels.isRefused();
  }

  /**
   * Does work on bytes of the pool, which stay there; so does the result. From any thread, which is
   * on the device afterwards; the first time takes a second.
   *
   * @return null if there is no room for it, or the device does not do it
   * @throws InferenceException if the device is lost
   */
  @Nullable ResidentBytes tryWork(ResidentBytes from, PixelWork work) {
    if (from.sizeBytes() != work.sourceBytes()) {
      throw new IllegalStateException(
          "%d bytes are not the %d of %s".formatted(from.sizeBytes(), work.sourceBytes(), work));
    }
    long bytes = work.targetBytes();
    byte[] code = bytes == 0 || bytes > Integer.MAX_VALUE ? null : kernels.code(work);
    if (code == null) {
      return null;
    }
    try {
      cuda.useDevice(device);
      return work(code, from, work, (int) bytes);
    } catch (CudaException e) {
      if (e.isSticky()) {
        pool.blame(e);
        throw new InferenceException(
            ErrorCode.UNAVAILABLE, "pixels cannot be worked on on a GPU: " + e.getMessage());
      }
      return null;
    }
  }

  private synchronized @Nullable ResidentBytes work(
      byte[] code, ResidentBytes from, PixelWork work, int bytes) {
    long onStream = kernels.stream(work, code);
    ResidentBlock block = onStream == 0 ? null : pool.tryAllocate(bytes, onStream);
    if (block == null) {
      return null;
    }
    try {
      pool.noteMade(from.block(), block);
      kernels.enqueue(from, work, code, block);
      return ResidentBytes.in(block, 0, bytes);
    } finally {
      block.leave();
    }
  }

  /** Waits for everything so far. Takes no lock. */
  void await() {
    kernels.await();
  }

  /**
   * Gives everything back; nothing of it runs any more.
   *
   * @throws CudaException if the device is lost
   */
  synchronized void close() {
    kernels.close();
  }
}
