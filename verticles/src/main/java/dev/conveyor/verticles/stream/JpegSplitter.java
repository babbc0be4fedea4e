package dev.conveyor.verticles.stream;

import dev.conveyor.memory.PoolShare;
import dev.conveyor.models.InferenceException;
import java.util.function.Consumer;

/**
 * Cuts JPEGs that stand one after the other, as in a file of Motion JPEG.
 *
 * <p>Segments are skipped by their length, so that a thumbnail inside one, which is a JPEG of its
 * own, ends nothing (ITU-T T.81, B.1.1). A picture that was cut off is handed over when the next
 * begins: what decodes it says what is missing. Zeros and line ends between pictures are skipped;
 * other bytes there are told as a frame that cannot be read.
 */
public final class JpegSplitter implements FrameSplitter {

  private static final int SOI = 0xD8;
  private static final int EOI = 0xD9;
  private static final int SOS = 0xDA;

  private enum State {
    /** Before a picture, and after {@code FF} there. */
    BETWEEN,
    BETWEEN_FF,
    /** Where a marker must stand, and after its {@code FF}. */
    MARKER,
    MARKER_FF,
    LENGTH_HIGH,
    LENGTH_LOW,
    SEGMENT,
    /** In the compressed data, and after {@code FF} there. */
    DATA,
    DATA_FF
  }

  private static final byte[] START = {(byte) 0xFF, (byte) SOI};

  private final FrameBuffer frame;
  private State state = State.BETWEEN;
  private int marker;
  private int left;

  /** Padding between pictures is not that long. */
  private static final int MAX_JUNK_BYTES = 64 * 1024;

  private long junk;

  /**
   * Creates a splitter.
   *
   * @param memory of the model's requests, which frames count against
   * @param maxBytes largest picture
   */
  public JpegSplitter(PoolShare memory, int maxBytes) {
    this.frame = new FrameBuffer(memory, maxBytes, 1);
  }

  @Override
  public void accept(byte[] bytes, Consumer<Frame> frames) {
    int runStart = 0;
    for (int i = 0; i < bytes.length; i++) {
      int b = bytes[i] & 0xFF;
      State before = state;
      switch (state) {
        case BETWEEN -> between(b);
        case BETWEEN_FF -> {
          if (b == SOI) {
            begin(frames);
            runStart = i + 1;
          } else if (b != 0xFF) { // any number of them may stand before a marker
            junk++;
            state = State.BETWEEN;
            between(b);
          }
        }
        case MARKER -> state = b == 0xFF ? State.MARKER_FF : State.DATA;
        case MARKER_FF -> {
          if (b == SOI) {
            cut(bytes, runStart, i, frames);
            runStart = i + 1;
          } else {
            onMarker(b);
          }
        }
        case LENGTH_HIGH -> {
          left = b << 8;
          state = State.LENGTH_LOW;
        }
        case LENGTH_LOW -> onLength(left | b);
        case SEGMENT -> {
          int skipped = Math.min(left, bytes.length - i);
          left -= skipped;
          i += skipped - 1;
          if (left == 0) {
            state = marker == SOS ? State.DATA : State.MARKER;
          }
        }
        case DATA -> {
          while (i < bytes.length && bytes[i] != (byte) 0xFF) {
            i++;
          }
          if (i < bytes.length) {
            state = State.DATA_FF;
          }
        }
        case DATA_FF -> {
          if (b == SOI) {
            cut(bytes, runStart, i, frames);
            runStart = i + 1;
          } else {
            onDataMarker(b);
          }
        }
      }
      if (state == State.BETWEEN && before != State.BETWEEN && before != State.BETWEEN_FF) {
        frame.append(bytes, runStart, i + 1 - runStart);
        frame.finish(frames);
      }
    }
    if (isMidFrame()) {
      frame.append(bytes, runStart, bytes.length - runStart);
      frame.tellRefusal(frames);
    } else if (junk > MAX_JUNK_BYTES) {
      throw InferenceException.invalid(
          "%d bytes that are no JPEG: a picture begins with FF D8".formatted(junk));
    }
  }

  @Override
  public boolean isMidFrame() {
    return state != State.BETWEEN && state != State.BETWEEN_FF;
  }

  @Override
  public void end(Consumer<Frame> frames) {
    if (state == State.BETWEEN_FF) {
      junk++;
    }
    tellJunk(frames);
    if (isMidFrame()) {
      frame.refuse(
          InferenceException.invalid(
              "the stream ended in the middle of a frame, after %d bytes of it"
                  .formatted(frame.length())));
      frame.tellRefusal(frames);
    }
    close();
  }

  @Override
  public void close() {
    frame.clear();
    state = State.BETWEEN;
    junk = 0;
  }

  private void between(int b) {
    if (b == 0xFF) {
      state = State.BETWEEN_FF;
    } else if (b != 0 && b != '\r' && b != '\n') {
      junk++;
    }
  }

  private void begin(Consumer<Frame> frames) {
    tellJunk(frames);
    frame.append(START, 0, START.length);
    state = State.MARKER;
  }

  /** A picture begins where the data of another was expected to go on. */
  private void cut(byte[] bytes, int runStart, int soi, Consumer<Frame> frames) {
    frame.append(bytes, runStart, Math.max(0, soi - 1 - runStart));
    if (soi - 1 < runStart) {
      frame.dropLast((byte) 0xFF); // it came with the bytes before
    }
    frame.finish(frames);
    begin(frames);
  }

  private void onMarker(int b) {
    if (b == EOI) {
      state = State.BETWEEN;
    } else if (b == 0xFF) {
      state = State.MARKER_FF; // fill bytes
    } else if (b == 0) {
      state = State.DATA; // not a marker: the picture is damaged, look for its end
    } else if (b == 0x01 || (b >= 0xD0 && b < SOI)) {
      state = State.MARKER;
    } else {
      marker = b;
      state = State.LENGTH_HIGH;
    }
  }

  private void onDataMarker(int b) {
    if (b == 0 || (b >= 0xD0 && b < SOI)) {
      state = State.DATA;
    } else if (b != 0xFF) {
      onMarker(b);
    }
  }

  private void onLength(int length) {
    left = length - 2; // the length counts itself
    if (left < 0) {
      state = State.DATA;
    } else if (left == 0) {
      state = marker == SOS ? State.DATA : State.MARKER;
    } else {
      state = State.SEGMENT;
    }
  }

  private void tellJunk(Consumer<Frame> frames) {
    if (junk > 0) {
      frames.accept(
          Frame.refused(
              InferenceException.invalid(
                  "%d bytes that are no JPEG: a picture begins with FF D8".formatted(junk))));
      junk = 0;
    }
  }
}
