package dev.conveyor.models.device;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.conveyor.memory.BlockAllocator;
import dev.conveyor.memory.BudgetExceededException;
import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.CudaException;
import dev.conveyor.memory.cuda.DevicePool;
import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.image.DeviceJpeg;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Decodes the images of steps on one device, into its memory between steps. Takes nothing before
 * the first of them.
 *
 * <p>Thread-safe. A thread has a {@link DecodeLane} to itself while it enqueues; there are a few,
 * since decoding begins on the host. It waits for one, and for the lane's last image to be read,
 * but not for ever: the device may hang, and the host can decode.
 */
final class DeviceDecodes implements AutoCloseable {

  /** End of the tag of its reservation, behind the name of the device. */
  static final String KIND = "/decoding";

  private static final Logger LOG = LoggerFactory.getLogger(DeviceDecodes.class);
  private static final int MOST_LANES = 4;
  private static final long PATIENCE_MS = 100;

  /** Larger files are for the host: lanes keep pinned memory for the largest so far. */
  private static final long MOST_ENCODED_BYTES = 32L << 20;

  private final Cuda cuda;
  private final int device;
  private final MemoryBudget budget;
  private final ResidentPool residents;
  private final BlockAllocator pinned;
  private final BlockingQueue<DecodeLane> free = new ArrayBlockingQueue<>(MOST_LANES);
  private volatile boolean isTried;
  private volatile boolean isRefused;

  @GuardedBy("this")
  private @Nullable DevicePool memory;

  @GuardedBy("this")
  private int lanes;

  /**
   * Creates it.
   *
   * @param budget ledger of the device
   * @param residents memory for what images become; told when a device is lost
   * @param pinned allocates memory that encoded images are copied to
   */
  DeviceDecodes(
      Cuda cuda, int device, MemoryBudget budget, ResidentPool residents, BlockAllocator pinned) {
    this.cuda = cuda;
    this.device = device;
    this.budget = budget;
    this.residents = residents;
    this.pinned = pinned;
  }

  /** Returns whether it was found out that the device, or this machine, does not do it. */
  boolean isRefused() {
    return isRefused;
  }

  /** As {@link GpuPlace#tryDecode}. The calling thread is on the device afterwards. */
  @Nullable ResidentBytes tryDecode(List<DeviceJpeg> images) {
    long encoded = 0;
    long bytes = 0;
    for (DeviceJpeg image : images) {
      encoded += image.bytes().remaining();
      bytes += image.targetBytes();
    }
    if (encoded > MOST_ENCODED_BYTES || bytes > Integer.MAX_VALUE) {
      return null;
    }
    try {
      cuda.useDevice(device);
      return works() ? decode(images, (int) bytes) : null;
    } catch (BudgetExceededException e) {
      return null;
    } catch (CudaException e) {
      if (e.isSticky()) {
        residents.blame(e);
        throw new InferenceException(
            ErrorCode.UNAVAILABLE, "images cannot be decoded on a GPU: " + e.getMessage());
      }
      return null;
    }
  }

  private @Nullable ResidentBytes decode(List<DeviceJpeg> images, int bytes) {
    DecodeLane lane = take();
    if (lane == null) {
      return null;
    }
    try {
      ResidentBlock block = lane.awaitIdle() ? residents.tryAllocate(bytes, lane.stream()) : null;
      if (block == null) {
        return null;
      }
      try {
        return lane.enqueue(images, block) ? ResidentBytes.in(block, 0, bytes) : null;
      } finally {
        block.leave();
      }
    } finally {
      free.add(lane);
    }
  }

  /** Returns whether the libraries and the kernel are there, as far as is known. */
  private boolean works() {
    if (!isTried) {
      String reason = DeviceImages.unavailable(cuda, device);
      if (!reason.isEmpty()) {
        refuse(reason);
      }
      isTried = true;
    }
    return !isRefused;
  }

  private void refuse(String reason) {
    isRefused = true;
    LOG.info("GPU{}: images of steps are decoded on the CPU: {}", device, reason);
  }

  private @Nullable DecodeLane take() {
    for (int left = free.size(); left > 0; left--) {
      DecodeLane lane = free.poll();
      if (lane != null && lane.isIdle()) {
        return lane;
      } else if (lane != null) {
        free.add(lane);
      }
    }
    DecodeLane made = tryMake();
    try {
      return made == null ? free.poll(PATIENCE_MS, TimeUnit.MILLISECONDS) : made;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return null;
    }
  }

  /** Returns null if there are as many as there may be, or the device does not do it. */
  private synchronized @Nullable DecodeLane tryMake() {
    if (lanes == MOST_LANES || isRefused) {
      return null;
    }
    DevicePool pool = memory;
    if (pool == null) {
      pool =
          new DevicePool(
              cuda, device, DeviceImages.ALLOWANCE_BYTES, budget, budget.device() + KIND);
      memory = pool;
    }
    try {
      DecodeLane lane = new DecodeLane(cuda, device, pool, pinned);
      lanes++;
      return lane;
    } catch (CudaException e) {
      if (!e.isSticky() && !e.isOutOfMemory()) {
        refuse(String.valueOf(e.getMessage()));
      }
      throw e;
    }
  }

  /**
   * Gives everything back if no image uses any of it now; the next one takes it anew. The calling
   * thread is on the device afterwards.
   */
  synchronized void trim() {
    if (memory == null) {
      return;
    }
    cuda.useDeviceEvenIfLost(device);
    List<DecodeLane> there = new ArrayList<>();
    int unused = free.drainTo(there);
    if (there.size() < lanes || !areOver(there)) {
      free.addAll(there); // To unload a kernel waits for the device, which may hang.
      return;
    }
    there.forEach(DecodeLane::close);
    lanes = 0;
    DevicePool pool = memory;
    memory = null;
    if (pool != null) {
      pool.close();
    }
  }

  private boolean areOver(List<DecodeLane> lanes) {
    try {
      boolean all = true;
      for (DecodeLane lane : lanes) {
        all &= lane.awaitIdle();
      }
      return all;
    } catch (CudaException e) {
      if (e.isSticky()) {
        residents.blame(e);
      }
      return e.isSticky();
    }
  }

  /** Returns the bytes taken from the device. */
  synchronized long takenBytes() {
    return memory == null ? 0 : memory.takenBytes();
  }

  /** Gives everything back but what a device that hangs may still use. */
  @Override
  public void close() {
    trim();
  }
}
