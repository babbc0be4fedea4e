package dev.conveyor.models.image;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * The orientation tag of JPEG files (Exif 2.3, 4.6.4) and of PNG files, where it is in a chunk of
 * its own (PNG third edition, 11.3.3.5): decoding applies it, so it decides what the width of an
 * image is. Stateless.
 */
public final class ExifOrientation {

  private static final int ORIENTATION = 0x0112;
  private static final int EXIF = 0x45786966;
  private static final int EXIF_CHUNK = 0x65584966;
  private static final int UPRIGHT = 1;
  private static final int FIRST_TURNED = 5;
  private static final int LAST_TURNED = 8;

  private ExifOrientation() {}

  /** Returns whether decoding swaps width and height; false if the file does not say. */
  public static boolean swapsSides(ByteBuffer encoded) {
    int orientation = of(encoded);
    return orientation >= FIRST_TURNED && orientation <= LAST_TURNED;
  }

  /** Returns the orientation, 1 to 8; 1, which changes nothing, if the file does not say. */
  static int of(ByteBuffer encoded) {
    ByteBuffer bytes = encoded.slice().order(ByteOrder.BIG_ENDIAN);
    try {
      return PngStream.startsAt(bytes) ? ofPng(bytes) : ofJpeg(bytes);
    } catch (IndexOutOfBoundsException e) {
      return UPRIGHT; // cut short: whoever decodes it says so
    }
  }

  private static int ofJpeg(ByteBuffer bytes) {
    int at = 2;
    while (bytes.getShort(0) == (short) 0xFFD8 && bytes.get(at) == (byte) 0xFF) {
      int marker = bytes.get(at + 1) & 0xFF;
      int length = bytes.getShort(at + 2) & 0xFFFF;
      if (marker == 0xE1 && bytes.getInt(at + 4) == EXIF) {
        return orientation(bytes.slice(at + 10, length - 8));
      }
      if (marker == 0xDA) {
        return UPRIGHT;
      }
      at += 2 + length;
    }
    return UPRIGHT;
  }

  private static int ofPng(ByteBuffer bytes) {
    int at = PngStream.SIGNATURE_BYTES;
    while (bytes.getInt(at) >= 0 && bytes.getInt(at) <= bytes.limit() - at) {
      int length = bytes.getInt(at);
      if (bytes.getInt(at + Integer.BYTES) == EXIF_CHUNK) {
        return orientation(bytes.slice(at + PngStream.HEAD_BYTES, length));
      }
      at += PngStream.HEAD_BYTES + length + PngStream.CHECKSUM_BYTES;
    }
    return UPRIGHT;
  }

  private static int orientation(ByteBuffer tiff) {
    tiff.order(tiff.get(0) == 'I' ? ByteOrder.LITTLE_ENDIAN : ByteOrder.BIG_ENDIAN);
    int directory = tiff.getInt(4);
    int entries = tiff.getShort(directory) & 0xFFFF;
    for (int i = 0; i < entries; i++) {
      int entry = directory + 2 + 12 * i;
      if ((tiff.getShort(entry) & 0xFFFF) == ORIENTATION) {
        return tiff.getShort(entry + 8) & 0xFFFF;
      }
    }
    return UPRIGHT;
  }
}
