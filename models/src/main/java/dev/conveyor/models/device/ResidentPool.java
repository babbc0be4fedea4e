package dev.conveyor.models.device;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.conveyor.memory.BudgetExceededException;
import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.Lease;
import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.CudaException;
import dev.conveyor.memory.cuda.DevicePool;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
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
  private final HostReads reads;
  private final Queue<ResidentBlock> closed = new ConcurrentLinkedQueue<>();
  private final AtomicInteger lent = new AtomicInteger();
  private final AtomicLong lends = new AtomicLong();
  private final ResidentPixels pixels;
  private final Consumer<String> onLost;
  private final PeerReads peers;
  private volatile boolean isLost;

  @GuardedBy("this")
  private @Nullable DevicePool memory;

  @GuardedBy("this")
  private int skips;

  /** Frees, and copies to the host; 0 before the first allocation. */
  private volatile long stream;

  /**
   * Creates a pool that holds nothing yet.
   *
   * @param budget ledger of the device
   * @param pinned lends memory to what is read on the host after all
   * @param onLost told, on any thread and perhaps again, that the device is lost, and why
   */
  public ResidentPool(
      Cuda cuda, int device, MemoryBudget budget, BufferPool pinned, Consumer<String> onLost) {
    this.cuda = cuda;
    this.device = device;
    this.budget = budget;
    this.onLost = onLost;
    this.reads = new HostReads(cuda, pinned, onLost);
    this.peers = new PeerReads(cuda, device);
    this.pixels = new ResidentPixels(cuda, device, this);
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

  /** Returns CUDA's number of the device. */
  int ordinal() {
    return device;
  }

  /** Returns what copies tensors from other devices to this one. */
  PeerReads peers() {
    return peers;
  }

  /** Returns what works on the pixels of the tensors here. */
  ResidentPixels pixels() {
    return pixels;
  }

  /** Has another device read what is here by itself, for as long as there are blocks. */
  synchronized void openTo(int reader) {
    if (memory != null) {
      memory.openTo(reader);
    }
  }

  /** Returns whether the device is known to be lost. */
  boolean isLost() {
    return isLost;
  }

  /** Notes that the device is lost, and what was there with it, whoever found out. */
  void noteLost() {
    isLost = true;
  }

  /** Has it told that the device is lost. */
  void lost(CudaException failure) {
    noteLost();
    onLost.accept(String.valueOf(failure.getMessage()));
  }

  /**
   * Has it told which device an error loses: this one, or those that tensors were read from. On a
   * thread that has set the device, and is on it afterwards.
   */
  void blame(CudaException failure) {
    if (!peers.isOfPeer(failure)) {
      lost(failure);
    }
  }

  /** Notes what is made of a block, perhaps not yet: until then that one must stay. */
  synchronized void noteMade(ResidentBlock from, ResidentBlock made) {
    made.isMade = true;
    from.lastMade = made;
  }

  /**
   * Returns a block that is there when {@code onStream} gets here, or null if there is no room. On
   * a thread that has set the device.
   *
   * @throws CudaException if the device is lost
   */
  @Nullable ResidentBlock tryAllocate(long bytes, long onStream) {
    ResidentBlock block = null;
    boolean begun = false;
    try {
      DevicePool pool = beginAllocation();
      begun = pool != null;
      block = pool == null ? null : allocate(pool, bytes, onStream);
      return block;
    } catch (BudgetExceededException e) {
      skipSome(); // To be refused so has the host wait for the stream.
      return null;
    } catch (CudaException e) {
      if (e.isSticky()) {
        throw e;
      }
      return null;
    } finally {
      if (block != null) {
        lends.incrementAndGet();
      } else if (begun) {
        lent.decrementAndGet();
      }
    }
  }

  /** Returns null if this one is skipped; else somebody has a block as good as lent. */
  private synchronized @Nullable DevicePool beginAllocation() {
    DevicePool pool = memory();
    reclaim(pool);
    if (skips > 0) {
      skips--;
      return null;
    }
    lent.incrementAndGet();
    return pool;
  }

  private synchronized void skipSome() {
    skips = SKIPS;
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
  private synchronized boolean workEnds() {
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

  /** As {@link HostReads#read}. */
  Lease toHost(ResidentBlock block, long address, int bytes) {
    return reads.read(block, address, bytes, stream);
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
  void trim() {
    DevicePool pool = taken();
    if (pool == null) {
      return;
    }
    try {
      cuda.useDevice(device);
      if (workEnds()) {
        pixels.await(); // Without the lock, as all that waits for the device here.
      }
      reclaimFrom(pool);
      cuda.awaitStream(stream);
      pool.trim();
    } catch (CudaException e) {
      if (!e.isSticky()) {
        throw e;
      }
      blame(e);
    }
  }

  private synchronized @Nullable DevicePool taken() {
    return memory;
  }

  private synchronized void reclaimFrom(DevicePool pool) {
    reclaim(pool);
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
  public void close() {
    trim();
    synchronized (pixels) { // Before the lock of the pool, as whoever works on pixels.
      closeTrimmed();
    }
  }

  private synchronized void closeTrimmed() {
    DevicePool pool = memory;
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
