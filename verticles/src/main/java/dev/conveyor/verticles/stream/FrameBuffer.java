package dev.conveyor.verticles.stream;

import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.HeapShare;
import dev.conveyor.memory.PoolShare;
import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.RefusalReason;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The frame of a stream that is arriving.
 *
 * <p>Not thread-safe: owned by the event loop of the stream. Its bytes count against the memory of
 * requests as they come. A frame that is too large, or for which there is no memory, is refused at
 * that moment; the rest of it is counted and thrown away, so a frame without an end costs nothing.
 */
final class FrameBuffer {

  private static final int PREFIX_BYTES = Integer.BYTES;
  private static final int FIRST_BYTES = 256;

  /** Smaller frames are taken also while the model has its share of the memory. */
  private static final int LARGE_BYTES = 16 * 1024;

  private final PoolShare memory;
  private final int maxBytes;
  private final int slackBytes;
  private byte[] bytes = new byte[PREFIX_BYTES];
  private int end = PREFIX_BYTES;
  private long length;
  private @Nullable HeapShare share;
  private @Nullable InferenceException refusal;
  private boolean told;

  /**
   * Creates a buffer.
   *
   * @param memory of the model's requests, which frames count against
   * @param maxBytes largest frame
   * @param slackBytes how many bytes may come that turn out not to belong to it
   */
  FrameBuffer(PoolShare memory, int maxBytes, int slackBytes) {
    this.memory = memory;
    this.maxBytes = maxBytes;
    this.slackBytes = slackBytes;
  }

  /** Returns the bytes of the frame so far, also those that were thrown away. */
  long length() {
    return length;
  }

  void append(byte[] source, int from, int count) {
    if (count == 0) {
      return;
    }
    length += count;
    if (refusal != null || !hasRoom(count)) {
      return;
    }
    System.arraycopy(source, from, bytes, end, count);
    end += count;
  }

  /** Takes the last byte back if it is this one. */
  void dropLast(byte unwanted) {
    if (refusal == null && end > PREFIX_BYTES && bytes[end - 1] == unwanted) {
      end--;
      length--;
    }
  }

  /** Refuses the frame that is arriving; its bytes are forgotten. The first reason counts. */
  void refuse(InferenceException why) {
    if (refusal == null) {
      refusal = why;
      forget();
    }
  }

  /** Refuses the frame if that many bytes are too many. */
  void expect(long claimed) {
    if (claimed > maxBytes) {
      refuse(tooLarge(claimed));
    }
  }

  /** Hands the refusal of the frame that is arriving over, once, if there is one. */
  void tellRefusal(Consumer<Frame> frames) {
    if (refusal != null && !told) {
      told = true;
      frames.accept(Frame.refused(refusal));
    }
  }

  /** Ends the frame: hands it over, unless it was refused, and begins the next. */
  void finish(Consumer<Frame> frames) {
    if (refusal == null) {
      expect(length);
    }
    tellRefusal(frames);
    Frame whole = null;
    if (refusal == null) {
      ByteBuffer element = ByteBuffer.wrap(bytes, 0, end).order(ByteOrder.LITTLE_ENDIAN);
      element.putInt(0, end - PREFIX_BYTES);
      whole = new Frame(element, null, share);
      share = null;
    }
    clear();
    if (whole != null) {
      frames.accept(whole);
    }
  }

  /** Forgets the frame and gives its memory back. */
  void clear() {
    forget();
    refusal = null;
    told = false;
    length = 0;
  }

  private void forget() {
    bytes = new byte[PREFIX_BYTES];
    end = PREFIX_BYTES;
    if (share != null) {
      share.close();
      share = null;
    }
  }

  private boolean hasRoom(int count) {
    long needed = (long) end + count;
    if (needed - PREFIX_BYTES > (long) maxBytes + slackBytes) {
      refuse(tooLarge(needed - PREFIX_BYTES));
      return false;
    }
    if (needed <= bytes.length) {
      return true;
    }
    long most = (long) maxBytes + slackBytes + PREFIX_BYTES;
    int room = (int) Math.min(most, Math.max(needed, Math.max(FIRST_BYTES, 2L * bytes.length)));
    if (share == null) {
      share = memory.heapShare();
    }
    if (room >= LARGE_BYTES && share.sizeBytes() < LARGE_BYTES && memory.isFull()) {
      refuse(shareUsedUp());
      return false;
    }
    if (!share.growTo(room)) {
      refuse(noMemory(room));
      return false;
    }
    bytes = Arrays.copyOf(bytes, room);
    return true;
  }

  private InferenceException tooLarge(long size) {
    return new InferenceException(
        ErrorCode.TOO_LARGE,
        "the frame has %d bytes or more, at most %d are taken".formatted(size, maxBytes));
  }

  private InferenceException shareUsedUp() {
    return noMemory(
        "requests for the model hold %d of %d bytes for requests, which is its share"
            .formatted(memory.heldBytes(), memory.pool().maxBytes()));
  }

  private InferenceException noMemory(int room) {
    BufferPool pool = memory.pool();
    return noMemory(
        "no memory for a frame of %d bytes: %d of %d bytes for requests are in use"
            .formatted(room, pool.leasedBytes(), pool.maxBytes()));
  }

  private static InferenceException noMemory(String what) {
    return new InferenceException(
        ErrorCode.QUEUE_FULL, what, RefusalReason.REQUEST_MEMORY, InferenceException.UNKNOWN);
  }
}
