package dev.conveyor.models.image;

import java.awt.image.BufferedImage;
import java.awt.image.Raster;
import java.awt.image.WritableRaster;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import javax.imageio.IIOImage;
import javax.imageio.ImageIO;
import javax.imageio.ImageWriteParam;
import javax.imageio.ImageWriter;
import javax.imageio.stream.ImageOutputStream;

/** Images for tests, drawn and encoded with what Java brings along. */
public final class TestImages {

  static {
    System.setProperty("java.awt.headless", "true");
    ImageIO.setUseCache(false);
  }

  private TestImages() {}

  /** Smooth, and different in each channel and direction. */
  public static BufferedImage gradient(int width, int height) {
    BufferedImage image = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
    for (int y = 0; y < height; y++) {
      for (int x = 0; x < width; x++) {
        int red = 255 * x / width;
        int green = 255 * y / height;
        int blue = 255 * (x + y) / (width + height);
        image.setRGB(x, y, red << 16 | green << 8 | blue);
      }
    }
    return image;
  }

  /** One colour on the left half, another on the right. */
  public static BufferedImage halves(int width, int height, int leftRgb, int rightRgb) {
    BufferedImage image = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
    for (int y = 0; y < height; y++) {
      for (int x = 0; x < width; x++) {
        image.setRGB(x, y, x < width / 2 ? leftRgb : rightRgb);
      }
    }
    return image;
  }

  public static BufferedImage solid(int width, int height, int rgb) {
    return halves(width, height, rgb, rgb);
  }

  public static byte[] png(BufferedImage image) {
    return encode("png", new IIOImage(image, null, null), false);
  }

  public static byte[] jpeg(BufferedImage image) {
    return encode("jpeg", new IIOImage(image, null, null), false);
  }

  public static byte[] progressiveJpeg(BufferedImage image) {
    return encode("jpeg", new IIOImage(image, null, null), true);
  }

  public static byte[] cmykJpeg(int width, int height) {
    WritableRaster raster = Raster.createInterleavedRaster(0, width, height, 4, null);
    return encode("jpeg", new IIOImage(raster, null, null), false);
  }

  /**
   * A CMYK image of one colour, as Adobe's programs store it.
   *
   * @param inverted cyan, magenta, yellow and black, 255 for none of it
   */
  public static byte[] adobeCmykJpeg(int width, int height, int... inverted) {
    WritableRaster raster = Raster.createInterleavedRaster(0, width, height, 4, null);
    for (int y = 0; y < height; y++) {
      for (int x = 0; x < width; x++) {
        raster.setPixel(x, y, inverted);
      }
    }
    byte[] jpeg = encode("jpeg", new IIOImage(raster, null, null), false);
    byte[] marker = {
      (byte) 0xFF, (byte) 0xEE, 0, 14, 'A', 'd', 'o', 'b', 'e', 0, 100, 0, 0, 0, 0, 0
    };
    return ByteBuffer.allocate(jpeg.length + marker.length)
        .put(jpeg, 0, 2)
        .put(marker)
        .put(jpeg, 2, jpeg.length - 2)
        .array();
  }

  /** Puts an EXIF block with this orientation behind the start of a JPEG. */
  public static byte[] withOrientation(byte[] jpeg, int orientation) {
    byte[] tiff = tiff(orientation);
    return ByteBuffer.allocate(jpeg.length + 10 + tiff.length)
        .put(jpeg, 0, 2)
        .putShort((short) 0xFFE1)
        .putShort((short) (8 + tiff.length))
        .put(new byte[] {'E', 'x', 'i', 'f', 0, 0})
        .put(tiff)
        .put(jpeg, 2, jpeg.length - 2)
        .array();
  }

  /**
   * Puts an eXIf chunk with this orientation into a PNG.
   *
   * @param at where a chunk ends: 33 behind the header, or 12 bytes before the end
   */
  public static byte[] pngWithOrientation(byte[] png, int orientation, int at) {
    byte[] tiff = tiff(orientation);
    ByteBuffer chunk = ByteBuffer.allocate(12 + tiff.length);
    chunk.putInt(tiff.length).put(new byte[] {'e', 'X', 'I', 'f'}).put(tiff);
    java.util.zip.CRC32 crc = new java.util.zip.CRC32();
    crc.update(chunk.array(), 4, 4 + tiff.length);
    chunk.putInt((int) crc.getValue());
    return ByteBuffer.allocate(png.length + chunk.capacity())
        .put(png, 0, at)
        .put(chunk.array())
        .put(png, at, png.length - at)
        .array();
  }

  private static byte[] tiff(int orientation) {
    return ByteBuffer.allocate(26)
        .put(new byte[] {'M', 'M', 0, 42})
        .putInt(8)
        .putShort((short) 1)
        .putShort((short) 0x0112)
        .putShort((short) 3)
        .putInt(1)
        .putShort((short) orientation)
        .array();
  }

  public static byte[] cut(byte[] encoded, int bytes) {
    return Arrays.copyOf(encoded, bytes);
  }

  /** Returns a small PNG whose header lies about its size. */
  public static byte[] pngThatClaims(int width, int height) {
    byte[] png = png(solid(4, 4, 0));
    ByteBuffer.wrap(png).putInt(16, width).putInt(20, height);
    java.util.zip.CRC32 crc = new java.util.zip.CRC32();
    crc.update(png, 12, 17);
    ByteBuffer.wrap(png).putInt(29, (int) crc.getValue());
    return png;
  }

  private static byte[] encode(String format, IIOImage image, boolean progressive) {
    ImageWriter writer = ImageIO.getImageWritersByFormatName(format).next();
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ImageOutputStream out = ImageIO.createImageOutputStream(bytes)) {
      writer.setOutput(out);
      ImageWriteParam param = writer.getDefaultWriteParam();
      if (format.equals("jpeg")) {
        param.setCompressionMode(ImageWriteParam.MODE_EXPLICIT);
        param.setCompressionQuality(0.98f);
      }
      if (progressive) {
        param.setProgressiveMode(ImageWriteParam.MODE_DEFAULT);
      }
      writer.write(null, image, param);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } finally {
      writer.dispose();
    }
    return bytes.toByteArray();
  }
}
