package dev.conveyor.models.process.worker;

import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.CudaException;
import dev.conveyor.memory.cuda.PinnedRange;
import dev.conveyor.models.process.wire.SharedFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The shared memory of one lane; pinned where there is a GPU, which then copies inputs from where
 * the server gathered them. Thread-confined: it belongs to one lane.
 */
final class WorkerSlab implements AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(WorkerSlab.class);

  private final SharedFile file;
  private final @Nullable PinnedRange pinned;

  /**
   * Maps a file that the server has created.
   *
   * @param cuda the runtime, on a thread that has set the device; null on the CPU
   */
  WorkerSlab(Path path, long bytes, @Nullable Cuda cuda) throws IOException {
    this.file = SharedFile.open(path, bytes);
    try {
      this.pinned = cuda == null ? null : pin(cuda, file.bytes());
    } catch (RuntimeException e) {
      file.close();
      throw e;
    }
  }

  /** Returns null if it cannot be pinned: then it is copied once more, as any other memory. */
  private static @Nullable PinnedRange pin(Cuda cuda, ByteBuffer bytes) {
    try {
      return PinnedRange.of(cuda, bytes);
    } catch (CudaException e) {
      if (e.isSticky()) {
        throw e;
      }
      LOG.warn("{} bytes of shared memory cannot be pinned: {}", bytes.capacity(), e.getMessage());
      return null;
    }
  }

  /** Returns the bytes, little-endian, always the same view; use absolute access or slices. */
  ByteBuffer bytes() {
    return file.bytes();
  }

  int sizeBytes() {
    return file.sizeBytes();
  }

  /** Returns where devices read the byte at an offset; 0 if they cannot. */
  long pinnedAddress(int offset) {
    return pinned == null ? 0 : pinned.address() + offset;
  }

  @Override
  public void close() {
    try (file) {
      if (pinned != null) {
        pinned.close();
      }
    }
  }
}
