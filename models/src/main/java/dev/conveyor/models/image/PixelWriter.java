package dev.conveyor.models.image;

import dev.conveyor.models.DataType;
import dev.conveyor.models.config.Preprocessing;
import dev.conveyor.models.config.Preprocessing.Color;
import dev.conveyor.models.config.Preprocessing.Layout;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.util.List;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.opencv.global.opencv_core;
import org.bytedeco.opencv.global.opencv_imgproc;
import org.bytedeco.opencv.opencv_core.Mat;
import org.bytedeco.opencv.opencv_core.MatVector;

/**
 * Writes pixels as a model wants them: channel order, normalisation, layout, type. Thread-safe.
 *
 * <p>Every pass is one of OpenCV's, which handle 16 pixels at a time, and the last one writes where
 * the tensor is. Floats are {@code scale * pixel - mean * scale} in single precision; bytes come
 * from a table of 256 levels, computed in double precision and rounded half up. Pixels come as
 * OpenCV leaves them: rows of blue, green, red, or of grey.
 */
final class PixelWriter {

  private static final int LEVELS = 256;

  private final int channels;
  private final int depth;
  private final boolean planar;
  private final boolean swapped;
  private final boolean uniform;

  /** Per channel of the output: floats are {@code factor * pixel + shift}. */
  private final double[] factor;

  private final double[] shift;

  /** What bytes become, channel by channel within a level; empty if they stay as they are. */
  private final byte[] levels;

  PixelWriter(Preprocessing config) {
    this.channels = config.color().channels();
    this.depth = config.dataType() == DataType.FP32 ? opencv_core.CV_32F : opencv_core.CV_8U;
    this.planar = config.layout() == Layout.NCHW && channels > 1;
    this.swapped = config.color() == Color.RGB;
    this.factor = new double[channels];
    this.shift = new double[channels];
    boolean same = true;
    boolean changed = false;
    for (int c = 0; c < channels; c++) {
      double mean = valueOr(config.mean(), c, 0);
      factor[c] = valueOr(config.scale(), c, 1);
      shift[c] = -mean * factor[c];
      same &= factor[c] == factor[0] && shift[c] == shift[0];
      changed |= factor[c] != 1 || shift[c] != 0;
    }
    this.uniform = same;
    this.levels = changed && depth == opencv_core.CV_8U ? levels() : new byte[0];
  }

  /**
   * Writes one image into {@code target}, which has exactly the size of its tensor and may be
   * native or on the heap.
   */
  void write(Mat image, ByteBuffer target) {
    if (target.isDirect()) {
      try (BytePointer to = new BytePointer(target)) {
        write(image, to);
      } finally {
        Reference.reachabilityFence(target);
      }
      return;
    }
    try (BytePointer to = new BytePointer(target.remaining())) {
      write(image, to);
      target.put(target.position(), bytes(to), 0, target.remaining());
    }
  }

  private void write(Mat image, BytePointer to) {
    if (planar) {
      writePlanes(image, to);
      return;
    }
    try (Mat out =
            new Mat(image.rows(), image.cols(), opencv_core.CV_MAKETYPE(depth, channels), to);
        Mat ordered = new Mat()) {
      if (swapped && uniform && depth == opencv_core.CV_8U && levels.length == 0) {
        opencv_imgproc.cvtColor(image, out, opencv_imgproc.COLOR_BGR2RGB);
        return;
      }
      if (swapped) {
        opencv_imgproc.cvtColor(image, ordered, opencv_imgproc.COLOR_BGR2RGB);
      }
      normalize(swapped ? ordered : image, out);
    }
  }

  private void writePlanes(Mat image, BytePointer to) {
    int height = image.rows();
    try (Mat all = new Mat(channels * height, image.cols(), depth, to);
        MatVector planes = new MatVector()) {
      opencv_core.split(image, planes);
      for (int c = 0; c < channels; c++) {
        try (Mat plane = planes.get(swapped ? channels - 1 - c : c);
            Mat out = all.rowRange(c * height, (c + 1) * height)) {
          normalizePlane(plane, out, c);
        }
      }
    }
  }

  /** Fills {@code out}, whose type and size are right, so nothing is allocated for it. */
  private void normalize(Mat pixels, Mat out) {
    if (levels.length > 0) {
      applyLevels(pixels, out, levels, channels);
    } else if (uniform) {
      pixels.convertTo(out, depth, factor[0], shift[0]);
    } else {
      try (MatVector planes = new MatVector()) {
        opencv_core.split(pixels, planes);
        for (int c = 0; c < channels; c++) {
          try (Mat plane = planes.get(c)) {
            plane.convertTo(plane, depth, factor[c], shift[c]);
            planes.put(c, plane);
          }
        }
        opencv_core.merge(planes, out);
      }
    }
  }

  private void normalizePlane(Mat plane, Mat out, int channel) {
    if (levels.length == 0) {
      plane.convertTo(out, depth, factor[channel], shift[channel]);
      return;
    }
    byte[] own = new byte[LEVELS];
    for (int level = 0; level < LEVELS; level++) {
      own[level] = levels[level * channels + channel];
    }
    applyLevels(plane, out, own, 1);
  }

  private static void applyLevels(Mat pixels, Mat out, byte[] levels, int channels) {
    try (Mat table = new Mat(1, LEVELS, opencv_core.CV_MAKETYPE(opencv_core.CV_8U, channels));
        BytePointer entries = table.data()) {
      entries.put(levels);
      opencv_core.LUT(pixels, table, out);
    }
  }

  private byte[] levels() {
    byte[] all = new byte[LEVELS * channels];
    for (int level = 0; level < LEVELS; level++) {
      for (int c = 0; c < channels; c++) {
        long value = Math.round(level * factor[c] + shift[c]);
        all[level * channels + c] = (byte) Math.max(0, Math.min(255, value));
      }
    }
    return all;
  }

  private static byte[] bytes(BytePointer from) {
    byte[] bytes = new byte[Math.toIntExact(from.limit())];
    from.get(bytes);
    return bytes;
  }

  private static double valueOr(List<Double> values, int index, double otherwise) {
    return values.isEmpty() ? otherwise : values.get(index);
  }
}
