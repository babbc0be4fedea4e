package dev.conveyor.verticles.shm;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A registered region: an open file, held by the registry while it is registered, and by every
 * request that uses it.
 *
 * <p>Thread-safe. Invariant: the file is open while anybody holds it, and closed by the last.
 */
final class Region {

  private final SharedMemoryRegions.Status status;
  private final FileChannel file;
  private final AtomicInteger holders = new AtomicInteger(1);

  /** Takes over an open file; its creator is the first to hold it. */
  Region(SharedMemoryRegions.Status status, FileChannel file) {
    this.status = status;
    this.file = file;
  }

  SharedMemoryRegions.Status status() {
    return status;
  }

  /** Returns false if the last holder is gone already. */
  boolean tryHold() {
    return holders.getAndUpdate(count -> count == 0 ? 0 : count + 1) > 0;
  }

  /** Called once by every holder. */
  void release() throws IOException {
    if (holders.decrementAndGet() == 0) {
      file.close();
    }
  }

  /**
   * Fills {@code target} from its position to its limit; false if the file ends before.
   *
   * @param from offset in the region, in bytes
   */
  boolean read(long from, ByteBuffer target) throws IOException {
    long at = status.offset() + from;
    while (target.hasRemaining()) {
      int read = file.read(target, at);
      if (read < 0) {
        return false;
      }
      at += read;
    }
    return true;
  }

  /**
   * Writes {@code source} from its position to its limit; false if the file is too short, which is
   * never made longer: its size is its owner's business.
   *
   * @param from offset in the region, in bytes
   */
  boolean write(long from, ByteBuffer source) throws IOException {
    long at = status.offset() + from;
    if (file.size() - at < source.remaining()) {
      return false;
    }
    while (source.hasRemaining()) {
      at += file.write(source, at);
    }
    return true;
  }
}
