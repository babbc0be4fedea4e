package dev.conveyor.models.steps;

import dev.conveyor.models.DataType;
import dev.conveyor.models.image.Letterbox;
import java.nio.ByteBuffer;

/**
 * Bilinear resampling of planes of bytes or floats, pixel centres at halves, edges repeated.
 * Stateless.
 */
final class Resampler {

  private Resampler() {}

  /** One plane of several of the same size, one after the other. */
  record Plane(int index, int width, int height) {

    int at(int x, int y) {
      return (index * height + y) * width + x;
    }
  }

  /** Pixels that are read, others are not: the first and the last of each side. */
  record Bounds(int left, int top, int right, int bottom) {}

  /**
   * Fills part of a plane with part of another.
   *
   * @param box corners of the part of the source, in pixels; may reach beyond the edges
   * @param to the part of the target
   */
  static void plane(
      DataType type,
      ByteBuffer in,
      Plane source,
      float[] box,
      ByteBuffer out,
      Plane target,
      Letterbox to) {
    Bounds all = new Bounds(0, 0, source.width() - 1, source.height() - 1);
    plane(type, in, source, box, all, out, target, to);
  }

  /** As above, of a source of which only some pixels are read; the outermost are repeated. */
  static void plane(
      DataType type,
      ByteBuffer in,
      Plane source,
      float[] box,
      Bounds read,
      ByteBuffer out,
      Plane target,
      Letterbox to) {
    float stepX = (box[2] - box[0]) / to.width();
    float stepY = (box[3] - box[1]) / to.height();
    for (int y = 0; y < to.height(); y++) {
      float sy = clamp(box[1] + (y + 0.5f) * stepY - 0.5f, read.top(), read.bottom());
      int y0 = (int) sy;
      int y1 = Math.min(y0 + 1, read.bottom());
      for (int x = 0; x < to.width(); x++) {
        float sx = clamp(box[0] + (x + 0.5f) * stepX - 0.5f, read.left(), read.right());
        int x0 = (int) sx;
        int x1 = Math.min(x0 + 1, read.right());
        float top =
            mix(get(type, in, source.at(x0, y0)), get(type, in, source.at(x1, y0)), sx - x0);
        float low =
            mix(get(type, in, source.at(x0, y1)), get(type, in, source.at(x1, y1)), sx - x0);
        put(type, out, target.at(to.x() + x, to.y() + y), mix(top, low, sy - y0));
      }
    }
  }

  static float get(DataType type, ByteBuffer data, int index) {
    return type == DataType.UINT8 ? data.get(index) & 0xFF : data.getFloat(4 * index);
  }

  /** Bytes are rounded and held between 0 and 255; NaN becomes 0. */
  static void put(DataType type, ByteBuffer data, int index, float value) {
    if (type == DataType.UINT8) {
      data.put(index, (byte) Math.max(0, Math.min(255, Math.round(value))));
    } else {
      data.putFloat(4 * index, value);
    }
  }

  private static float clamp(float at, int least, int most) {
    return Math.max(least, Math.min(most, at));
  }

  private static float mix(float a, float b, float part) {
    return a + (b - a) * part;
  }
}
