package dev.conveyor.memory;

import com.google.errorprone.annotations.CheckReturnValue;
import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * The ledger of one device's memory: who holds how much. Allocates nothing; it decides whether an
 * allocation may be made.
 *
 * <p>Thread-safe. Never over-committed: the sum of open reservations is at most {@link
 * #capacityBytes}. Owners are tags such as {@code resnet/weights}; several reservations may share
 * one tag.
 */
@CheckReturnValue
public final class MemoryBudget {

  private final String device;
  private final long capacityBytes;

  @GuardedBy("this")
  private final Map<String, Long> reservedByOwner = new TreeMap<>();

  @GuardedBy("this")
  private long reservedBytes;

  public MemoryBudget(String device, long capacityBytes) {
    if (capacityBytes <= 0) {
      throw new IllegalArgumentException("capacityBytes must be positive, was " + capacityBytes);
    }
    this.device = device;
    this.capacityBytes = capacityBytes;
  }

  /** Reserves {@code bytes} for {@code owner}, or returns empty if they do not fit. Never waits. */
  public synchronized Optional<Reservation> tryReserve(String owner, long bytes) {
    if (bytes < 0) {
      throw new IllegalArgumentException("bytes must not be negative, was " + bytes);
    }
    if (bytes > capacityBytes - reservedBytes) {
      return Optional.empty();
    }
    reservedBytes += bytes;
    reservedByOwner.merge(owner, bytes, Long::sum);
    return Optional.of(new Reservation(owner, bytes));
  }

  /**
   * Reserves {@code bytes} for {@code owner}.
   *
   * @throws BudgetExceededException if they do not fit; the message says who holds what
   */
  public Reservation reserve(String owner, long bytes) {
    return tryReserve(owner, bytes)
        .orElseThrow(() -> new BudgetExceededException(refusal(owner, bytes)));
  }

  public String device() {
    return device;
  }

  public long capacityBytes() {
    return capacityBytes;
  }

  public synchronized long reservedBytes() {
    return reservedBytes;
  }

  public synchronized long availableBytes() {
    return capacityBytes - reservedBytes;
  }

  /** Returns a copy of the ledger: owner tag to bytes, in the order of the tags. */
  public synchronized Map<String, Long> holders() {
    return new TreeMap<>(reservedByOwner);
  }

  private synchronized String refusal(String owner, long bytes) {
    return "%s needs %d bytes on %s, %d of %d are free; held: %s"
        .formatted(
            owner, bytes, device, capacityBytes - reservedBytes, capacityBytes, reservedByOwner);
  }

  private synchronized void release(String owner, long bytes) {
    reservedBytes -= bytes;
    reservedByOwner.computeIfPresent(
        owner, (tag, held) -> held.longValue() == bytes ? null : Long.valueOf(held - bytes));
  }

  /** Memory set aside for one owner until {@link #close}. Closing twice is harmless. */
  public final class Reservation implements AutoCloseable {

    private final String owner;
    private final long bytes;
    private final AtomicBoolean open = new AtomicBoolean(true);

    private Reservation(String owner, long bytes) {
      this.owner = owner;
      this.bytes = bytes;
    }

    public String owner() {
      return owner;
    }

    public long bytes() {
      return bytes;
    }

    @Override
    public void close() {
      if (open.getAndSet(false)) {
        release(owner, bytes);
      }
    }

    @Override
    public String toString() {
      return owner + ": " + bytes + " bytes" + (open.get() ? "" : " (closed)");
    }
  }
}
