package dev.conveyor.models.image;

import dev.conveyor.models.InferenceException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/**
 * Walks the markers of a JPEG (ITU-T T.81, annex B). Thread-confined: made for one walk.
 *
 * <p>Compressed data needs no case of its own: in it, FF is followed by 00 or by a restart marker,
 * and both are passed over. So the end marker is found only where the image really ends, and not,
 * say, at the end of a thumbnail inside a segment.
 */
final class JpegStream {

  private static final int TEM = 0x01;
  private static final int SOF0 = 0xC0;
  private static final int DHT = 0xC4;
  private static final int JPG = 0xC8;
  private static final int DAC = 0xCC;
  private static final int SOF15 = 0xCF;
  private static final int RST0 = 0xD0;
  private static final int RST7 = 0xD7;
  private static final int SOI = 0xD8;
  private static final int EOI = 0xD9;
  private static final int SOS = 0xDA;
  private static final int APP14 = 0xEE;
  private static final byte[] ADOBE = {'A', 'd', 'o', 'b', 'e'};

  /**
   * Every scan of a progressive image costs a pass over all its pixels, however few bytes it has.
   * Encoders write about 10.
   */
  private static final int MAX_SCANS = 100;

  private final ByteBuffer bytes;
  private int position;

  /** Reads {@code bytes} from index 0 to the limit. */
  JpegStream(ByteBuffer bytes) {
    this.bytes = bytes.duplicate().order(ByteOrder.LITTLE_ENDIAN); // the lowest is the first
  }

  static boolean startsAt(ByteBuffer bytes) {
    return (bytes.get(0) & 0xFF) == 0xFF
        && (bytes.get(1) & 0xFF) == SOI
        && (bytes.get(2) & 0xFF) == 0xFF;
  }

  /** Walks to the frame header. */
  ImageHeader header() {
    return walk(true);
  }

  /** Walks to the end of the image. */
  ImageHeader complete() {
    return walk(false);
  }

  /**
   * Returns whether Adobe's marker (Technical Note 5116, section 18) says how the components are
   * meant: of four it means cyan, magenta, yellow and black, stored inverted.
   */
  boolean hasAdobeMarker() {
    position = 2;
    for (int marker = nextMarker(); marker != SOS && marker != EOI; marker = nextMarker()) {
      int next = segmentEnd();
      if (marker == APP14 && startsWith(ADOBE)) {
        return true;
      }
      position = next;
    }
    return false;
  }

  private boolean startsWith(byte[] word) {
    for (byte letter : word) {
      if (u8() != letter) {
        return false;
      }
    }
    return true;
  }

  private ImageHeader walk(boolean stopAtFrame) {
    position = 2;
    ImageHeader frame = null;
    int scans = 0;
    while (true) {
      int marker = nextMarker();
      if (marker == TEM || (marker >= RST0 && marker <= RST7)) {
        continue;
      }
      if (marker == EOI) {
        return requireImage(frame, scans);
      }
      if (marker == SOI) {
        throw InferenceException.invalid("corrupt JPEG: a second start of image");
      }
      int next = segmentEnd();
      if (isFrame(marker)) {
        if (frame != null) {
          throw InferenceException.invalid("corrupt JPEG: a second frame");
        }
        frame = frame();
        if (stopAtFrame) {
          return frame;
        }
      } else if (marker == SOS && ++scans > MAX_SCANS) {
        throw InferenceException.invalid("JPEG with more than " + MAX_SCANS + " scans");
      }
      position = next;
    }
  }

  private static ImageHeader requireImage(@Nullable ImageHeader frame, int scans) {
    if (frame == null || scans == 0) {
      throw InferenceException.invalid("corrupt JPEG: ends without an image");
    }
    return frame;
  }

  /** Reads a frame header; the position is behind its length. */
  private ImageHeader frame() {
    position++;
    int height = u16();
    int width = u16();
    int components = u8();
    if (width == 0 || height == 0) {
      throw InferenceException.invalid(
          "JPEG of %d x %d pixels has nothing in it".formatted(width, height));
    }
    return new ImageHeader(ImageHeader.Format.JPEG, width, height, components);
  }

  private static boolean isFrame(int marker) {
    return marker >= SOF0 && marker <= SOF15 && marker != DHT && marker != JPG && marker != DAC;
  }

  private int nextMarker() {
    int end = bytes.limit();
    int at = position;
    while ((at = nextFf(at)) < end) {
      at++;
      while (at < end && bytes.get(at) == (byte) 0xFF) {
        at++;
      }
      if (at < end && bytes.get(at++) != 0) {
        position = at;
        return bytes.get(at - 1) & 0xFF;
      }
    }
    throw truncated();
  }

  /** Returns where the next FF is, or the limit: eight bytes at a time, for there are few. */
  private int nextFf(int from) {
    int end = bytes.limit();
    int at = from;
    for (; at + Long.BYTES <= end; at += Long.BYTES) {
      long found = ffs(bytes.getLong(at));
      if (found != 0) {
        return at + Long.numberOfTrailingZeros(found) / Byte.SIZE;
      }
    }
    while (at < end && bytes.get(at) != (byte) 0xFF) {
      at++;
    }
    return at;
  }

  /** The usual test for a zero byte in a word, of the complement; its lowest bit is exact. */
  private static long ffs(long word) {
    return (~word - 0x0101010101010101L) & word & 0x8080808080808080L;
  }

  /** Reads the length of a segment and returns where the segment ends. */
  private int segmentEnd() {
    int start = position;
    int lengthBytes = u16();
    if (lengthBytes < 2) {
      throw InferenceException.invalid("corrupt JPEG: a segment of " + lengthBytes + " bytes");
    }
    if (lengthBytes > bytes.limit() - start) {
      throw truncated();
    }
    return start + lengthBytes;
  }

  private int u16() {
    return u8() << 8 | u8();
  }

  private int u8() {
    if (position >= bytes.limit()) {
      throw truncated();
    }
    return bytes.get(position++) & 0xFF;
  }

  private InferenceException truncated() {
    return InferenceException.invalid(
        "truncated JPEG: %d bytes, and no end of image in them".formatted(bytes.limit()));
  }
}
