package dev.conveyor.memory;

import com.google.errorprone.annotations.CheckReturnValue;
import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * The ledger of one device's memory: who holds how much. Allocates nothing; it decides whether an
 * allocation may be made.
 *
 * <p>Thread-safe. Never over-committed: the sum of open reservations is at most {@link
 * #capacityBytes}. Owners are tags such as {@code resnet/weights}; several reservations may share
 * one tag.
 *
 * <p>A part of a budget is a budget too: what is reserved in a {@link #part} is reserved in the
 * whole, and fits only if it fits in both.
 */
@CheckReturnValue
public final class MemoryBudget {

  /** So many holders a refusal names. */
  private static final int NAMED_HOLDERS = 5;

  private final String device;
  private final long capacityBytes;
  private final @Nullable MemoryBudget whole;

  @GuardedBy("this")
  private final Map<String, Long> reservedByOwner = new TreeMap<>();

  @GuardedBy("this")
  private long reservedBytes;

  public MemoryBudget(String device, long capacityBytes) {
    this(device, capacityBytes, null);
  }

  private MemoryBudget(String device, long capacityBytes, @Nullable MemoryBudget whole) {
    if (capacityBytes <= 0) {
      throw new IllegalArgumentException("capacityBytes must be positive, was " + capacityBytes);
    }
    this.device = device;
    this.capacityBytes = capacityBytes;
    this.whole = whole;
  }

  /**
   * Returns a budget of at most {@code limitBytes} within this one.
   *
   * @param name for refusals, such as {@code model 'resnet'}
   */
  public MemoryBudget part(String name, long limitBytes) {
    return new MemoryBudget(name + " on " + device, limitBytes, this);
  }

  /** Returns the ledger of the whole device that this is a part of; this one if it is no part. */
  public MemoryBudget whole() {
    return whole == null ? this : whole.whole();
  }

  /** Reserves {@code bytes} for {@code owner}, or returns empty if they do not fit. Never waits. */
  public synchronized Optional<Reservation> tryReserve(String owner, long bytes) {
    if (bytes < 0) {
      throw new IllegalArgumentException("bytes must not be negative, was " + bytes);
    }
    return take(owner, bytes) ? Optional.of(new Reservation(owner, bytes)) : Optional.empty();
  }

  /**
   * Reserves {@code bytes} for {@code owner}.
   *
   * @throws BudgetExceededException if they do not fit; the message says who holds what
   */
  public Reservation reserve(String owner, long bytes) {
    return tryReserve(owner, bytes).orElseThrow(() -> refusal(owner, bytes));
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

  /** Returns how much fits: here, and where this is a part, in the whole. */
  public synchronized long availableBytes() {
    long here = capacityBytes - reservedBytes;
    return whole == null ? here : Math.min(here, whole.availableBytes());
  }

  /** Returns a copy of the ledger: owner tag to bytes, in the order of the tags. */
  public synchronized Map<String, Long> holders() {
    return new TreeMap<>(reservedByOwner);
  }

  /** Returns what to throw if {@code bytes} more do not fit; the message says who holds what. */
  BudgetExceededException refusal(String owner, long bytes) {
    synchronized (this) {
      long freeBytes = capacityBytes - reservedBytes;
      if (whole == null || bytes > freeBytes) {
        return new BudgetExceededException(
            device,
            bytes - freeBytes,
            "%s needs %d bytes on %s, %d of %d are free; held: %s"
                .formatted(owner, bytes, device, freeBytes, capacityBytes, largestHolders()));
      }
    }
    return whole.refusal(owner, bytes);
  }

  /** Returns the largest holders and how many others there are, for messages. */
  public synchronized String largestHolders() {
    if (reservedByOwner.isEmpty()) {
      return "nothing";
    }
    String named =
        reservedByOwner.entrySet().stream()
            .sorted(Map.Entry.<String, Long>comparingByValue().reversed())
            .limit(NAMED_HOLDERS)
            .map(holder -> holder.getKey() + "=" + holder.getValue())
            .collect(Collectors.joining(", "));
    int others = reservedByOwner.size() - NAMED_HOLDERS;
    return others > 0 ? named + " and " + others + " others" : named;
  }

  private synchronized boolean take(String owner, long bytes) {
    if (bytes > capacityBytes - reservedBytes || (whole != null && !whole.take(owner, bytes))) {
      return false;
    }
    reservedBytes += bytes;
    if (bytes > 0) {
      reservedByOwner.merge(owner, bytes, Long::sum);
    }
    return true;
  }

  private synchronized void release(String owner, long bytes) {
    reservedBytes -= bytes;
    reservedByOwner.computeIfPresent(
        owner, (tag, held) -> held.longValue() <= bytes ? null : Long.valueOf(held - bytes));
    if (whole != null) {
      whole.release(owner, bytes);
    }
  }

  /** Memory set aside for one owner until {@link #close}. Closing twice is harmless. */
  public final class Reservation implements AutoCloseable {

    private final String owner;

    @GuardedBy("this")
    private long bytes;

    @GuardedBy("this")
    private boolean open = true;

    private Reservation(String owner, long bytes) {
      this.owner = owner;
      this.bytes = bytes;
    }

    public String owner() {
      return owner;
    }

    public synchronized long bytes() {
      return bytes;
    }

    /**
     * Makes this what was measured. Returns false, and changes nothing, if that does not fit or
     * this is closed.
     */
    public synchronized boolean tryResize(long newBytes) {
      if (newBytes < 0) {
        throw new IllegalArgumentException("bytes must not be negative, was " + newBytes);
      }
      if (!open) {
        return false;
      }
      if (newBytes > bytes) {
        if (!take(owner, newBytes - bytes)) {
          return false;
        }
      } else if (newBytes < bytes) {
        release(owner, bytes - newBytes);
      }
      bytes = newBytes;
      return true;
    }

    /**
     * Makes this what was measured.
     *
     * @throws BudgetExceededException if that does not fit; the message says who holds what
     */
    public void resize(long newBytes) {
      if (!tryResize(newBytes)) {
        throw refusal(owner, newBytes - bytes());
      }
    }

    @Override
    public synchronized void close() {
      if (open) {
        open = false;
        release(owner, bytes);
      }
    }

    @Override
    public synchronized String toString() {
      return owner + ": " + bytes + " bytes" + (open ? "" : " (closed)");
    }
  }
}
