package dev.conveyor.models.image;

import dev.conveyor.models.DataType;
import dev.conveyor.models.config.Preprocessing;
import dev.conveyor.models.config.Preprocessing.Color;
import dev.conveyor.models.config.Preprocessing.Layout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.List;

/**
 * Writes pixels as a model wants them: channel order, normalisation, layout, type. Thread-safe.
 *
 * <p>A channel has 256 values, so normalisation is a table per channel, computed once in double
 * precision. Pixels come as OpenCV leaves them: rows of blue, green, red, or of grey.
 */
final class PixelWriter {

  private static final int LEVELS = 256;

  private final int width;
  private final int height;
  private final boolean floats;
  private final boolean planar;

  /** Per channel of the output: which channel of a pixel it comes from. */
  private final int[] source;

  /** Per channel of the output: the value of each level; one of the two is empty. */
  private final float[][] floatLevels;

  private final byte[][] byteLevels;

  PixelWriter(Preprocessing config) {
    int channels = config.color().channels();
    this.width = config.width();
    this.height = config.height();
    this.floats = config.dataType() == DataType.FP32;
    this.planar = config.layout() == Layout.NCHW;
    this.source = new int[channels];
    this.floatLevels = new float[floats ? channels : 0][LEVELS];
    this.byteLevels = new byte[floats ? 0 : channels][LEVELS];
    for (int c = 0; c < channels; c++) {
      source[c] = config.color() == Color.RGB ? channels - 1 - c : c;
      fillLevels(c, valueOr(config.mean(), c, 0), valueOr(config.scale(), c, 1));
    }
  }

  /** Writes one image into {@code target}, which has exactly its size. */
  void write(byte[] pixels, ByteBuffer target) {
    if (floats) {
      FloatBuffer values = target.order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer();
      if (planar) {
        writePlanes(pixels, values);
      } else {
        writeInterleaved(pixels, values);
      }
    } else if (planar) {
      writePlanes(pixels, target);
    } else {
      writeInterleaved(pixels, target);
    }
  }

  private void writePlanes(byte[] pixels, FloatBuffer target) {
    int step = source.length;
    float[] row = new float[width];
    for (int c = 0; c < step; c++) {
      float[] levels = floatLevels[c];
      int from = source[c];
      for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++, from += step) {
          row[x] = levels[pixels[from] & 0xFF];
        }
        target.put(row);
      }
    }
  }

  private void writeInterleaved(byte[] pixels, FloatBuffer target) {
    int step = source.length;
    float[] row = new float[width * step];
    for (int y = 0; y < height; y++) {
      for (int c = 0; c < step; c++) {
        float[] levels = floatLevels[c];
        int from = y * row.length + source[c];
        for (int to = c; to < row.length; to += step, from += step) {
          row[to] = levels[pixels[from] & 0xFF];
        }
      }
      target.put(row);
    }
  }

  private void writePlanes(byte[] pixels, ByteBuffer target) {
    int step = source.length;
    byte[] row = new byte[width];
    for (int c = 0; c < step; c++) {
      byte[] levels = byteLevels[c];
      int from = source[c];
      for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++, from += step) {
          row[x] = levels[pixels[from] & 0xFF];
        }
        target.put(row);
      }
    }
  }

  private void writeInterleaved(byte[] pixels, ByteBuffer target) {
    int step = source.length;
    byte[] row = new byte[width * step];
    for (int y = 0; y < height; y++) {
      for (int c = 0; c < step; c++) {
        byte[] levels = byteLevels[c];
        int from = y * row.length + source[c];
        for (int to = c; to < row.length; to += step, from += step) {
          row[to] = levels[pixels[from] & 0xFF];
        }
      }
      target.put(row);
    }
  }

  private void fillLevels(int channel, double mean, double scale) {
    for (int level = 0; level < LEVELS; level++) {
      double value = (level - mean) * scale;
      if (floats) {
        floatLevels[channel][level] = (float) value;
      } else {
        byteLevels[channel][level] = (byte) Math.max(0, Math.min(255, Math.round(value)));
      }
    }
  }

  private static double valueOr(List<Double> values, int index, double otherwise) {
    return values.isEmpty() ? otherwise : values.get(index);
  }
}
