package dev.conveyor.verticles.stream;

import dev.conveyor.memory.HeapShare;
import dev.conveyor.models.InferenceException;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * One encoded picture out of a stream, or what is wrong with it. Exactly one of {@code element} and
 * {@code refusal} is set. The owner closes it, which returns the memory it counts against.
 *
 * @param element the bytes as an element of a {@code BYTES} tensor, its length in front
 */
public record Frame(
    @Nullable ByteBuffer element, @Nullable InferenceException refusal, @Nullable HeapShare share)
    implements AutoCloseable {

  static Frame refused(InferenceException refusal) {
    return new Frame(null, refusal, null);
  }

  /** Returns the bytes of the picture; 0 for one that was refused. */
  public int sizeBytes() {
    return element == null ? 0 : element.remaining() - Integer.BYTES;
  }

  /** Gives the memory back. Closing twice is harmless. */
  @Override
  public void close() {
    if (share != null) {
      share.close();
    }
  }
}
