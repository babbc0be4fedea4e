package dev.conveyor.models.device;

import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * Memory of a {@link ResidentPool} with the outputs of one batch that stay on the device, and the
 * event after which they are there: who reads them on another stream has it wait for that.
 *
 * <p>Thread-safe. Held by its batch until that is over and by every tensor in it; goes back with
 * the last of them. A batch that was given up is never over.
 */
final class ResidentBlock {

  final long address;

  /** Recorded behind the copies into it. */
  final long written;

  /** Guarded by the pool. */
  boolean isFreed;

  /** Whether {@link #written} is gone too. Guarded by the pool. */
  boolean isReclaimed;

  /** What was made of it last, perhaps not yet: that goes in order. Guarded by the pool. */
  @Nullable ResidentBlock lastMade;

  /** Whether it was made of another one. Guarded by the pool. */
  boolean isMade;

  private final ResidentPool pool;
  private final AtomicInteger holders = new AtomicInteger(1);

  ResidentBlock(ResidentPool pool, long address, long written) {
    this.pool = pool;
    this.address = address;
    this.written = written;
  }

  ResidentPool pool() {
    return pool;
  }

  /** Adds a holder. The caller is one, so it is not gone. */
  void hold() {
    holders.incrementAndGet();
  }

  /** Nothing may read it any more for one of its holders. */
  void leave() {
    if (holders.decrementAndGet() == 0) {
      pool.giveBack(this);
    }
  }
}
