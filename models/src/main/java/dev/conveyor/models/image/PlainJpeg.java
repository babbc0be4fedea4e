package dev.conveyor.models.image;

import dev.conveyor.models.config.Preprocessing.Color;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Tells the JPEGs that a decoder on a device makes the same pixels of as the one on the host:
 * baseline, 8 bits, luma and chroma or, for models that take grey, luma alone, and upright. What it
 * is in doubt about is for the host. Stateless.
 */
final class PlainJpeg {

  private static final int SOF0 = 0xC0;
  private static final int SOS = 0xDA;
  private static final int APP14 = 0xEE;
  private static final int ADOBE = 0x41646F62;
  private static final int ADOBE_TRANSFORM_OFFSET = 15;
  private static final int MARKER_BYTES = 2;

  private PlainJpeg() {}

  /** Looks at the headers of the image between position and limit; leaves both as they are. */
  static boolean is(ByteBuffer encoded, Color color) {
    ByteBuffer bytes = encoded.slice().order(ByteOrder.BIG_ENDIAN);
    try {
      if (!JpegStream.startsAt(bytes) || ExifOrientation.of(encoded) != 1) {
        return false;
      }
      boolean plain = false;
      int at = MARKER_BYTES;
      while ((bytes.get(at) & 0xFF) == 0xFF) {
        int marker = bytes.get(at + 1) & 0xFF;
        int length = bytes.getShort(at + MARKER_BYTES) & 0xFFFF;
        if (marker == SOS) {
          return plain;
        }
        if (marker == SOF0) {
          plain = isPlainFrame(bytes, at, color);
        } else if (marker == APP14
            && bytes.getInt(at + 4) == ADOBE
            && bytes.get(at + ADOBE_TRANSFORM_OFFSET) == 0) {
          return false; // red, green and blue as they are
        }
        at += MARKER_BYTES + length;
      }
      return false;
    } catch (IndexOutOfBoundsException e) {
      return false;
    }
  }

  private static boolean isPlainFrame(ByteBuffer bytes, int at, Color color) {
    int precision = bytes.get(at + 4);
    int components = bytes.get(at + 9);
    boolean namedRed = bytes.get(at + 10) == 'R';
    return precision == 8
        && !namedRed
        && (components == 3 || (components == 1 && color == Color.GRAY));
  }
}
