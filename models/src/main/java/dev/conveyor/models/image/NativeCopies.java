package dev.conveyor.models.image;

import dev.conveyor.memory.Lease;
import java.nio.ByteBuffer;
import java.util.function.LongFunction;
import org.jspecify.annotations.Nullable;

/**
 * Native memory for encoded images that came on the heap, of which a device reads after the call
 * that is given them: one block of the pool for all images of a request, taken with the first.
 *
 * <p>Not thread-safe: owned by one {@link EncodedImages}, once it is made.
 */
final class NativeCopies implements AutoCloseable {

  private final LongFunction<Lease> memory;
  private final long mostBytes;
  private @Nullable Lease lease;
  private int used;

  /**
   * Takes nothing yet.
   *
   * @param memory lends so many bytes
   * @param mostBytes of all images together
   */
  NativeCopies(LongFunction<Lease> memory, long mostBytes) {
    this.memory = memory;
    this.mostBytes = mostBytes;
  }

  /** Returns the image if it is in native memory, otherwise a copy that is. */
  ByteBuffer of(ByteBuffer image) {
    if (image.isDirect()) {
      return image;
    }
    Lease block = lease;
    if (block == null) {
      block = memory.apply(mostBytes);
      lease = block;
    }
    int length = image.remaining();
    ByteBuffer copy = block.buffer().slice(used, length);
    copy.put(0, image, image.position(), length);
    used += length;
    return copy;
  }

  @Override
  public void close() {
    Lease block = lease;
    lease = null;
    if (block != null) {
      block.close();
    }
  }
}
