package dev.conveyor.models.image;

import dev.conveyor.models.InferenceException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Walks the chunks of a PNG (ISO/IEC 15948, clause 5). Thread-confined: made for one walk.
 *
 * <p>Checksums are left to the decoder, which refuses chunks that fail them.
 */
final class PngStream {

  private static final long SIGNATURE = 0x89504E470D0A1A0AL;
  static final int SIGNATURE_BYTES = Long.BYTES;

  /** Length and type before the data of a chunk, checksum behind it. */
  static final int HEAD_BYTES = 8;

  static final int CHECKSUM_BYTES = 4;
  private static final int IHDR_BYTES = 13;

  private static final int IHDR = 0x49484452;
  private static final int IDAT = 0x49444154;
  private static final int IEND = 0x49454E44;

  private static final int COLOR_TYPE_OFFSET = 9;

  private final ByteBuffer bytes;

  /** Reads {@code bytes} from index 0 to the limit. */
  PngStream(ByteBuffer bytes) {
    this.bytes = bytes.duplicate().order(ByteOrder.BIG_ENDIAN);
  }

  static boolean startsAt(ByteBuffer bytes) {
    return (bytes.get(0) & 0xFF) == 0x89 && bytes.get(1) == 'P' && bytes.get(2) == 'N';
  }

  ImageHeader header() {
    if (bytes.limit() < SIGNATURE_BYTES + HEAD_BYTES + IHDR_BYTES) {
      throw truncated();
    }
    if (bytes.getLong(0) != SIGNATURE) {
      throw InferenceException.invalid("corrupt PNG: its signature is damaged");
    }
    if (bytes.getInt(SIGNATURE_BYTES) != IHDR_BYTES
        || bytes.getInt(SIGNATURE_BYTES + Integer.BYTES) != IHDR) {
      throw InferenceException.invalid("corrupt PNG: does not begin with its header");
    }
    int data = SIGNATURE_BYTES + HEAD_BYTES;
    int width = bytes.getInt(data);
    int height = bytes.getInt(data + Integer.BYTES);
    if (width <= 0 || height <= 0) {
      throw InferenceException.invalid(
          "corrupt PNG: %d x %d pixels"
              .formatted(Integer.toUnsignedLong(width), Integer.toUnsignedLong(height)));
    }
    int components = components(bytes.get(data + COLOR_TYPE_OFFSET));
    return new ImageHeader(ImageHeader.Format.PNG, width, height, components);
  }

  /** Walks from chunk to chunk to the end of the image. */
  ImageHeader complete() {
    final ImageHeader header = header();
    boolean hasData = false;
    int at = SIGNATURE_BYTES;
    while (bytes.limit() - at >= HEAD_BYTES + CHECKSUM_BYTES) {
      int lengthBytes = bytes.getInt(at);
      int type = bytes.getInt(at + Integer.BYTES);
      if (lengthBytes < 0) {
        throw InferenceException.invalid(
            "corrupt PNG: a chunk of " + Integer.toUnsignedLong(lengthBytes) + " bytes");
      }
      if (lengthBytes > bytes.limit() - at - HEAD_BYTES - CHECKSUM_BYTES) {
        throw truncated();
      }
      hasData |= type == IDAT;
      if (type == IEND) {
        if (!hasData) {
          throw InferenceException.invalid("corrupt PNG: ends without image data");
        }
        return header;
      }
      at += HEAD_BYTES + lengthBytes + CHECKSUM_BYTES;
    }
    throw truncated();
  }

  private static int components(int colorType) {
    return switch (colorType) {
      case 0, 3 -> 1;
      case 2 -> 3;
      case 4 -> 2;
      case 6 -> 4;
      default -> throw InferenceException.invalid("corrupt PNG: colour type " + colorType);
    };
  }

  private InferenceException truncated() {
    return InferenceException.invalid(
        "truncated PNG: %d bytes, and no end of image in them".formatted(bytes.limit()));
  }
}
