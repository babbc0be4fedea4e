package dev.conveyor.memory.cuda;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.memory.MemoryBudget.Reservation;

/**
 * The device memory of one model on one device: allocated in stream order, capped, and in the
 * ledger.
 *
 * <p>Thread-safe. Invariant: what is reserved in the ledger is what the pool has taken from the
 * device, also between allocations, since a pool keeps what is freed in it. {@link #trim} gives
 * that back, {@link #close} everything.
 *
 * <p>After a sticky error the device's memory is the driver's to clean up when the process ends;
 * closing then only ends the reservation.
 */
public final class DevicePool implements AutoCloseable {

  private final Cuda cuda;
  private final long pool;
  private final Reservation reservation;

  @GuardedBy("this")
  private boolean open = true;

  /**
   * Creates a pool that holds nothing yet.
   *
   * @param maxBytes cap on the bytes it takes from the device
   * @param owner tag of its reservation
   */
  public DevicePool(Cuda cuda, int device, long maxBytes, MemoryBudget budget, String owner) {
    this.cuda = cuda;
    this.pool = cuda.newPool(device, maxBytes);
    this.reservation = budget.reserve(owner, 0);
  }

  /**
   * Takes {@code bytes} from the device now, so that later allocations of as much neither wait nor
   * fail. Blocks until the stream is there.
   *
   * @throws CudaException if the device has no room
   * @throws dev.conveyor.memory.BudgetExceededException if the ledger has none
   */
  public synchronized void preallocate(long bytes, long stream) {
    cuda.free(allocate(bytes, stream), stream);
    cuda.awaitStream(stream);
  }

  /**
   * Returns the address of {@code bytes} that are there when the stream gets here.
   *
   * @throws CudaException if the device or the cap has no room
   * @throws dev.conveyor.memory.BudgetExceededException if the ledger has none
   */
  public long allocate(long bytes, long stream) {
    long before;
    RuntimeException refusal;
    synchronized (this) {
      before = cuda.takenBytes(pool);
      long address = cuda.allocate(pool, bytes, stream);
      try {
        reservation.resize(cuda.takenBytes(pool));
        return address;
      } catch (RuntimeException e) {
        // Taken for a moment only, and given back before anyone uses it.
        cuda.free(address, stream);
        refusal = e;
      }
    }
    cuda.awaitStream(stream); // Not under the lock: what others allocate need not wait for it.
    giveBackBeyond(before);
    throw refusal;
  }

  private synchronized void giveBackBeyond(long bytes) {
    if (open) {
      cuda.trimPool(pool, bytes);
      reservation.resize(Math.min(reservation.bytes(), cuda.takenBytes(pool)));
    }
  }

  /** The memory goes back to the pool when the stream gets here. */
  public synchronized void free(long address, long stream) {
    cuda.free(address, stream);
  }

  /**
   * Has another device read what is in it by itself, now and later.
   *
   * @throws CudaException if the two cannot access each other
   */
  public void openTo(int device) {
    cuda.openPool(pool, device);
  }

  /** Gives back to the device what nobody uses; does nothing once closed. */
  public synchronized void trim() {
    if (!open) {
      return;
    }
    cuda.trimPool(pool, 0);
    reservation.resize(cuda.takenBytes(pool));
  }

  /** Returns the bytes taken from the device. */
  public long takenBytes() {
    return reservation.bytes();
  }

  /** Gives everything back. Everything allocated must have been freed, and its stream awaited. */
  @Override
  public synchronized void close() {
    if (open) {
      open = false;
      try {
        cuda.destroyPool(pool);
      } catch (CudaException e) {
        if (!e.isSticky()) {
          throw e;
        }
      } finally {
        reservation.close();
      }
    }
  }
}
