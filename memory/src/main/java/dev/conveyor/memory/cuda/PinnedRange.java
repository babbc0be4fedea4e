package dev.conveyor.memory.cuda;

import java.nio.ByteBuffer;
import org.bytedeco.javacpp.Pointer;

/**
 * Memory of the program's own, such as a file that two processes map, pinned so that devices read
 * and write it by themselves.
 *
 * <p>Thread-confined: its owner closes it before the memory goes, and after the last use of it on a
 * device.
 */
public final class PinnedRange implements AutoCloseable {

  private final Cuda cuda;
  private final long address;
  private boolean open = true;

  private PinnedRange(Cuda cuda, long address) {
    this.cuda = cuda;
    this.address = address;
  }

  /**
   * Pins a whole direct buffer.
   *
   * @throws CudaException if that cannot be
   */
  public static PinnedRange of(Cuda cuda, ByteBuffer direct) {
    ByteBuffer whole = direct.duplicate().clear();
    long address = new Pointer(whole).address();
    cuda.pin(address, whole.capacity());
    return new PinnedRange(cuda, address);
  }

  /** Returns where it begins, for devices as for the host. */
  public long address() {
    return address;
  }

  /** That the device is lost is no failure: nothing of it is pinned any more. */
  @Override
  public void close() {
    if (open) {
      open = false;
      try {
        cuda.unpin(address);
      } catch (CudaException e) {
        if (!e.isSticky()) {
          throw e;
        }
      }
    }
  }
}
