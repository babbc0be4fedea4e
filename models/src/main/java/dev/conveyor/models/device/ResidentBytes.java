package dev.conveyor.models.device;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.conveyor.memory.Lease;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.LateBytes;
import dev.conveyor.models.PixelWork;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * The bytes of a tensor that stay on the device which has computed them. Instances there and on
 * other devices copy them from where they are; for everybody else they are copied to the host,
 * once, whoever asks first.
 *
 * <p>Thread-safe; what {@link #onHost} returns is there until this is closed.
 */
public final class ResidentBytes implements LateBytes {

  private static final ByteBuffer UNKNOWN = ByteBuffer.allocate(0);

  private final Origin origin;
  private final int from;
  private final int bytes;
  private final AtomicBoolean open = new AtomicBoolean(true);
  private volatile @Nullable ByteBuffer view;

  private ResidentBytes(Origin origin, int from, int bytes) {
    this.origin = origin;
    this.from = from;
    this.bytes = bytes;
  }

  /** Returns bytes of a block, which the caller holds, as a holder of their own. */
  static ResidentBytes in(ResidentBlock block, long offset, int bytes) {
    block.hold();
    return new ResidentBytes(new Origin(block, block.address + offset, bytes), 0, bytes);
  }

  /** What shares and parts have in common: one output of one request. */
  private static final class Origin {
    private final ResidentBlock block;
    private final long address;
    private final int bytes;
    private final AtomicInteger holders = new AtomicInteger(1);

    @GuardedBy("this")
    private @Nullable Lease onHost;

    Origin(ResidentBlock block, long address, int bytes) {
      this.block = block;
      this.address = address;
      this.bytes = bytes;
    }

    boolean tryHold() {
      int count = holders.get();
      while (count > 0) {
        if (holders.compareAndSet(count, count + 1)) {
          return true;
        }
        count = holders.get();
      }
      return false;
    }

    synchronized ByteBuffer onHost() {
      Lease lease = onHost;
      if (lease == null) {
        lease = block.pool().toHost(block, address, bytes);
        onHost = lease;
      }
      return lease.buffer();
    }

    /** Takes the lock only as the last: whoever copies to the host, and waits, is a holder. */
    void leave() {
      if (holders.decrementAndGet() == 0) {
        closeOnHost();
        block.leave();
      }
    }

    private synchronized void closeOnHost() {
      if (onHost != null) {
        onHost.close();
      }
    }
  }

  ResidentBlock block() {
    return origin.block;
  }

  /** Returns where they begin on the device. */
  long address() {
    return origin.address + from;
  }

  @Override
  public int sizeBytes() {
    return bytes;
  }

  @Override
  public boolean isOnDevice() {
    return true;
  }

  @Override
  public String device() {
    return origin.block.pool().device();
  }

  @Override
  public @Nullable ResidentBytes tryWork(PixelWork work) {
    return origin.block.pool().pixels().tryWork(this, work);
  }

  @Override
  public boolean isInPlaceOf(LateBytes other) {
    return other instanceof ResidentBytes there
        && origin.block == there.origin.block
        && address() == there.address();
  }

  @Override
  public ByteBuffer onHost() {
    ByteBuffer made = view;
    if (made == null) {
      made = origin.onHost().slice(from, bytes).order(ByteOrder.LITTLE_ENDIAN);
      view = made;
    }
    return made;
  }

  /** Nothing, if they cannot be had any more: who compares must not fail of it. */
  @Override
  public ByteBuffer source() {
    try {
      return onHost();
    } catch (InferenceException e) {
      return UNKNOWN;
    }
  }

  @Override
  public @Nullable ResidentBytes tryShare() {
    return trySharePart(0, bytes);
  }

  @Override
  public @Nullable ResidentBytes trySharePart(int partFrom, int partBytes) {
    return open.get() && origin.tryHold()
        ? new ResidentBytes(origin, from + partFrom, partBytes)
        : null;
  }

  @Override
  public void close() {
    if (open.compareAndSet(true, false)) {
      origin.leave();
    }
  }
}
