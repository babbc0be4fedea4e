package dev.conveyor.models.image;

import dev.conveyor.models.InferenceException;
import java.nio.ByteBuffer;

/**
 * What the first bytes of an image say about it. Nothing is decoded to find out.
 *
 * @param width as stored; an EXIF orientation may swap width and height when it is decoded
 * @param height as stored
 * @param components samples per pixel as stored: 1 for grey and for a palette, 4 for CMYK and RGBA
 */
public record ImageHeader(Format format, int width, int height, int components) {

  /** The formats that are accepted. */
  public enum Format {
    JPEG,
    PNG
  }

  private static final int SIGNATURE_BYTES = 3;

  /**
   * Reads the header of the image between position and limit; leaves both as they are.
   *
   * @throws InferenceException with {@code INVALID_REQUEST} if there is none
   */
  public static ImageHeader read(ByteBuffer encoded) {
    ByteBuffer bytes = encoded.slice();
    return switch (format(bytes)) {
      case JPEG -> new JpegStream(bytes).header();
      case PNG -> new PngStream(bytes).header();
    };
  }

  /**
   * Reads the header as {@link #read} does, and the structure of the whole image behind it.
   *
   * @throws InferenceException with {@code INVALID_REQUEST} if the image is not there to its end
   */
  static ImageHeader readComplete(ByteBuffer encoded) {
    ByteBuffer bytes = encoded.slice();
    return switch (format(bytes)) {
      case JPEG -> new JpegStream(bytes).complete();
      case PNG -> new PngStream(bytes).complete();
    };
  }

  public long pixels() {
    return (long) width * height;
  }

  private static Format format(ByteBuffer bytes) {
    if (!bytes.hasRemaining()) {
      throw InferenceException.invalid("no bytes");
    }
    if (bytes.remaining() >= SIGNATURE_BYTES) {
      if (JpegStream.startsAt(bytes)) {
        return Format.JPEG;
      }
      if (PngStream.startsAt(bytes)) {
        return Format.PNG;
      }
    }
    throw InferenceException.invalid("neither JPEG nor PNG");
  }
}
