package dev.conveyor.models.device;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.conveyor.memory.BudgetExceededException;
import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.Lease;
import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.CudaException;
import dev.conveyor.memory.cuda.DevicePool;
import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.PixelWork;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * Device memory of outputs that stay on their device until the next model has read them: from any
 * instance there, for any other, and so of no model. What is made of them there is in it too. Takes
 * nothing before the first of them.
 *
 * <p>Thread-safe. Closing a tensor only puts its block on a list, since that may happen on an event
 * loop: whoever allocates next, or trims, frees it on the device, in the order of a stream and
 * after what was written to it.
 *
 * <p>Bounded by the ledger and by a cap; without room there is no block, and the output goes to the
 * host as others do.
 */
public final class ResidentPool implements AutoCloseable {

  /** End of the tag of its reservation, behind the name of the device. */
  static final String KIND = "/between steps";

  /** Of the ledger's bytes, what tensors between steps have at most. */
  private static final int MOST_OF_LEDGER = 8;

  /** So many batches are not tried after one for which the ledger had no room. */
  private static final int SKIPS = 64;

  private final Cuda cuda;
  private final int device;
  private final MemoryBudget budget;
  private final BufferPool pinned;
  private final Queue<ResidentBlock> closed = new ConcurrentLinkedQueue<>();
  private final AtomicInteger lent = new AtomicInteger();
  private final AtomicLong lends = new AtomicLong();
  private final DevicePixels pixels;

  @GuardedBy("this")
  private @Nullable DevicePool memory;

  @GuardedBy("this")
  private int skips;

  @GuardedBy("this")
  private boolean isLost;

  /** Frees, and copies to the host; 0 before the first allocation. */
  private volatile long stream;

  /**
   * Creates a pool that holds nothing yet.
   *
   * @param budget ledger of the device
   * @param pinned lends memory to what is read on the host after all
   */
  public ResidentPool(Cuda cuda, int device, MemoryBudget budget, BufferPool pinned) {
    this.cuda = cuda;
    this.device = device;
    this.budget = budget;
    this.pinned = pinned;
    this.pixels = new DevicePixels(cuda, device);
  }

  /** As {@link GpuPlace#tryKeep}. */
  @Nullable ResidentBytes tryKeep(long pinnedAddress, int bytes, long onStream) {
    ResidentBlock block = tryAllocate(bytes, onStream);
    if (block == null) {
      return null;
    }
    try {
      cuda.copyToDevice(block.address, pinnedAddress, bytes, onStream);
      cuda.record(block.written, onStream);
      return ResidentBytes.in(block, 0, bytes);
    } finally {
      block.leave();
    }
  }

  /** Returns the name of the device. */
  String device() {
    return budget.device();
  }

  /** Returns whether {@link #tryWork} does it; what does not work is found out by the first try. */
  boolean worksOnPixels() {
    return !pixels.isRefused();
  }

  /**
   * Does work on bytes of this pool, which stay here; so does the result. From any thread, which is
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
    byte[] code = bytes == 0 || bytes > Integer.MAX_VALUE ? null : pixels.code(work);
    if (code == null) {
      return null;
    }
    try {
      cuda.useDevice(device);
      return work(code, from, work, (int) bytes);
    } catch (CudaException e) {
      if (e.isSticky()) {
        throw new InferenceException(
            ErrorCode.UNAVAILABLE, "pixels cannot be worked on on a GPU: " + e.getMessage());
      }
      return null;
    }
  }

  private synchronized @Nullable ResidentBytes work(
      byte[] code, ResidentBytes from, PixelWork work, int bytes) {
    long onStream = pixels.stream(work, code);
    ResidentBlock block = onStream == 0 ? null : tryAllocate(bytes, onStream);
    if (block == null) {
      return null;
    }
    try {
      block.isMade = true;
      from.block().lastMade = block;
      pixels.enqueue(from, work, code, block);
      return ResidentBytes.in(block, 0, bytes);
    } finally {
      block.leave();
    }
  }

  /**
   * Returns a block that is there when {@code onStream} gets here, or null if there is no room. On
   * a thread that has set the device.
   *
   * @throws CudaException if the device is lost
   */
  synchronized @Nullable ResidentBlock tryAllocate(long bytes, long onStream) {
    try {
      DevicePool pool = memory();
      reclaim(pool);
      if (skips > 0) {
        skips--;
        return null;
      }
      ResidentBlock block = allocate(pool, bytes, onStream);
      lent.incrementAndGet();
      lends.incrementAndGet();
      return block;
    } catch (BudgetExceededException e) {
      skips = SKIPS; // To be refused so has the host wait for the stream.
      return null;
    } catch (CudaException e) {
      if (e.isSticky()) {
        throw e;
      }
      return null;
    }
  }

  /** The event is behind the allocation at least: whoever frees it waits for that. */
  private ResidentBlock allocate(DevicePool pool, long bytes, long onStream) {
    long event = cuda.newEvent();
    long address = 0;
    try {
      address = pool.allocate(bytes, onStream);
      cuda.record(event, onStream);
      return new ResidentBlock(this, address, event);
    } catch (RuntimeException e) {
      if (address != 0) {
        pool.free(address, onStream);
      }
      cuda.destroyEvent(event);
      throw e;
    }
  }

  @GuardedBy("this")
  private DevicePool memory() {
    DevicePool made = memory;
    if (made == null) {
      if (stream == 0) {
        stream = cuda.newStream(0);
      }
      made =
          new DevicePool(
              cuda,
              device,
              budget.capacityBytes() / MOST_OF_LEDGER,
              budget,
              budget.device() + KIND);
      memory = made;
    }
    return made;
  }

  /** Returns whether nobody wants any work any more, and what the last is done on is written. */
  @GuardedBy("this")
  private boolean workEnds() {
    boolean end = lent.get() == 0; // So everything is in the list.
    for (ResidentBlock block : closed) {
      end &= block.lastMade == null || block.isMade || cuda.isComplete(block.written);
    }
    return end;
  }

  /** Frees what was given back and is written. The rest, and what fails, is tried again. */
  @GuardedBy("this")
  private void reclaim(DevicePool pool) {
    for (int left = closed.size(); left > 0; left--) {
      ResidentBlock block = closed.remove();
      boolean done = false;
      try {
        done = isReclaimed(pool, block);
      } finally {
        if (!done) {
          closed.add(block);
        }
      }
    }
  }

  @GuardedBy("this")
  private boolean isReclaimed(DevicePool pool, ResidentBlock block) {
    if (!block.isFreed) {
      if (!cuda.isComplete(block.written)) {
        return false; // A stream that waited for it could wait for ever.
      }
      ResidentBlock made = block.lastMade;
      if (made != null && !made.isReclaimed && !cuda.isComplete(made.written)) {
        return false;
      }
      block.lastMade = null;
      pool.free(block.address, stream);
      block.isFreed = true;
    }
    cuda.destroyEvent(block.written);
    block.isReclaimed = true;
    return true;
  }

  /** Nobody reads the block any more. From any thread; calls nothing of the device. */
  void giveBack(ResidentBlock block) {
    closed.add(block);
    lent.decrementAndGet();
  }

  /**
   * Copies to the host and waits for it. From any thread.
   *
   * @throws InferenceException if there is no memory for it, or the device is lost
   */
  Lease toHost(ResidentBlock block, long address, int bytes) {
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
      if (lease != null && isOver()) {
        lease.close();
      }
      throw new InferenceException(
          e.isOutOfMemory() ? ErrorCode.OUT_OF_MEMORY : ErrorCode.UNAVAILABLE,
          "a tensor on a GPU cannot be read: " + e.getMessage());
    }
  }

  /** Returns whether nothing writes to the host any more after a copy that failed. */
  private boolean isOver() {
    try {
      cuda.awaitStream(stream);
      return true;
    } catch (CudaException e) {
      return e.isSticky();
    }
  }

  /** Returns how many blocks somebody holds. */
  int lent() {
    return lent.get();
  }

  /** Returns how many blocks were allocated. */
  long lends() {
    return lends.get();
  }

  /** Gives back to the device what nobody holds. The calling thread is on the device afterwards. */
  synchronized void trim() {
    DevicePool pool = memory;
    if (pool == null) {
      return;
    }
    try {
      cuda.useDevice(device);
      if (workEnds()) {
        pixels.await();
      }
      reclaim(pool);
      cuda.awaitStream(stream);
      pool.trim();
    } catch (CudaException e) {
      if (!e.isSticky()) {
        throw e;
      }
      isLost = true; // And what was there with it.
    }
  }

  /** Returns the bytes taken from the device. */
  synchronized long takenBytes() {
    return memory == null ? 0 : memory.takenBytes();
  }

  /**
   * Gives everything back. Blocks that a device which was given up may still use stay, and what
   * they are in.
   */
  @Override
  public synchronized void close() {
    DevicePool pool = memory;
    trim();
    if (pool == null || lent.get() > 0 || (!closed.isEmpty() && !isLost)) {
      return;
    }
    memory = null;
    pool.close();
    try {
      pixels.close();
      cuda.destroyStream(stream);
    } catch (CudaException e) {
      if (!e.isSticky()) {
        throw e;
      }
    }
    stream = 0;
  }
}
