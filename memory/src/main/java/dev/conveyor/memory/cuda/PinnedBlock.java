package dev.conveyor.memory.cuda;

import dev.conveyor.memory.Block;
import dev.conveyor.memory.MemoryBudget.Reservation;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.bytedeco.javacpp.BytePointer;

/** Host memory that devices read and write by themselves. */
final class PinnedBlock implements Block {

  private final Cuda cuda;
  private final long address;
  private final long sizeBytes;
  private final Reservation reservation;
  private final ByteBuffer whole;
  private boolean open = true;

  PinnedBlock(Cuda cuda, long address, long sizeBytes, Reservation reservation) {
    this.cuda = cuda;
    this.address = address;
    this.sizeBytes = sizeBytes;
    this.reservation = reservation;
    this.whole = new View(address, sizeBytes).asByteBuffer();
  }

  @Override
  public long address() {
    return address;
  }

  @Override
  public long sizeBytes() {
    return sizeBytes;
  }

  @Override
  public boolean isPinned() {
    return true;
  }

  @Override
  public ByteBuffer buffer() {
    return whole.duplicate().order(ByteOrder.LITTLE_ENDIAN);
  }

  @Override
  public void close() {
    if (open) {
      open = false;
      try {
        cuda.freePinned(address);
      } catch (CudaException e) {
        if (!e.isSticky()) {
          throw e;
        }
      } finally {
        reservation.close();
      }
    }
  }

  /** A pointer to memory that it does not own. */
  private static final class View extends BytePointer {
    View(long where, long bytes) {
      address = where;
      limit = bytes;
      capacity = bytes;
    }
  }
}
