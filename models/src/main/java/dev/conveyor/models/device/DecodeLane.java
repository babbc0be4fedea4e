package dev.conveyor.models.device;

import dev.conveyor.memory.Block;
import dev.conveyor.memory.BlockAllocator;
import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.CudaException;
import dev.conveyor.memory.cuda.DevicePool;
import dev.conveyor.models.image.DeviceJpeg;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * A stream with a decoder, and pinned memory of its own that encoded images are read from: those of
 * a request go back when its step is over, and the device may read them later.
 *
 * <p>Not thread-safe: owned by whoever took it from {@link DeviceDecodes}, on a thread that has set
 * the device.
 */
final class DecodeLane implements AutoCloseable {

  /** An image before that is not read after so many questions may never be. */
  private static final int MOST_ASKED = 1_000;

  private static final long ASK_EVERY_NS = 100_000;

  private final Cuda cuda;
  private final BlockAllocator pinned;
  private final Releases releases = new Releases();
  private final long stream;
  private final long read;
  private final DeviceImages images;
  private @Nullable Block staging;

  /**
   * Creates it.
   *
   * @param pool memory for decoding
   * @param pinned allocates memory that encoded images are copied to
   * @throws CudaException if the device or a library refuses; nothing stays allocated
   */
  DecodeLane(Cuda cuda, int device, DevicePool pool, BlockAllocator pinned) {
    this.cuda = cuda;
    this.pinned = pinned;
    try {
      long newStream = cuda.newStream(0);
      this.stream = newStream;
      releases.add(() -> cuda.destroyStream(newStream));
      long event = cuda.newEvent();
      this.read = event;
      releases.add(() -> cuda.destroyEvent(event));
      releases.add(() -> cuda.awaitStream(newStream)); // What closing frees there.
      this.images = new DeviceImages(cuda, device, pool, newStream);
      releases.add(images::close);
      releases.add(this::closeStaging);
    } catch (RuntimeException | Error e) {
      releases.closeAfter(e);
      throw e;
    }
  }

  /** Returns what everything is enqueued on. */
  long stream() {
    return stream;
  }

  /** Returns whether the device has read everything. */
  boolean isIdle() {
    return cuda.isComplete(read);
  }

  /** Waits, not for ever, until the device has read everything; returns whether it has. */
  boolean awaitIdle() {
    int asked = 0;
    while (!isIdle()) {
      if (asked++ == MOST_ASKED) {
        return false;
      }
      LockSupport.parkNanos(ASK_EVERY_NS);
    }
    return true;
  }

  /**
   * Enqueues images, one behind the other, and tells with the target's event when they are there;
   * also if this fails, as some may have been enqueued. The lane is idle.
   *
   * @return false if one of them is for the host
   * @throws CudaException if something went wrong on the device
   * @throws dev.conveyor.memory.BudgetExceededException if there is no memory to copy them to
   */
  boolean enqueue(List<DeviceJpeg> jpegs, ResidentBlock to) {
    try {
      int bytes = 0;
      for (DeviceJpeg jpeg : jpegs) {
        bytes = Math.addExact(bytes, jpeg.bytes().remaining());
      }
      ByteBuffer room = staging(bytes);
      int from = 0;
      long at = to.address;
      for (DeviceJpeg jpeg : jpegs) {
        int length = jpeg.bytes().remaining();
        ByteBuffer copy = room.slice(from, length);
        copy.put(0, jpeg.bytes(), jpeg.bytes().position(), length);
        if (!images.enqueue(jpeg.in(copy), at)) {
          return false;
        }
        from += length;
        at += jpeg.targetBytes();
      }
      return true;
    } finally {
      cuda.record(to.written, stream);
      cuda.record(read, stream);
    }
  }

  private ByteBuffer staging(int bytes) {
    Block block = staging;
    if (block == null || block.buffer().capacity() < bytes) {
      closeStaging();
      block = pinned.allocate(bytes);
      staging = block;
    }
    return block.buffer();
  }

  private void closeStaging() {
    Block block = staging;
    staging = null;
    if (block != null) {
      block.close();
    }
  }

  /** Gives everything back. The lane is idle, or the device is lost. */
  @Override
  public void close() {
    releases.close();
  }
}
