package dev.conveyor.models.image;

import dev.conveyor.models.InferenceException;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.opencv.global.opencv_core;
import org.bytedeco.opencv.global.opencv_imgcodecs;
import org.bytedeco.opencv.global.opencv_imgproc;
import org.bytedeco.opencv.opencv_core.Mat;
import org.bytedeco.opencv.opencv_core.Scalar;
import org.bytedeco.opencv.opencv_core.Size;

/**
 * What a program without a server does to an image: decode, resize, convert to RGB, make floats of
 * it, one OpenCV call after the other. Only there to be compared with: it checks nothing.
 *
 * <p>Thread-safe: it keeps no state between calls. A call blocks for milliseconds.
 */
public final class OpenCvLoop {

  private final int width;
  private final int height;

  /** Loads OpenCV if nobody has yet. */
  public OpenCvLoop(int width, int height) {
    this.width = width;
    this.height = height;
    OpenCv.load();
  }

  /** Returns the sum of the first pixel's values, so that none of the work can be left out. */
  public double process(ByteBuffer encoded) {
    try (BytePointer input = new BytePointer(encoded.slice());
        Mat wrapped = new Mat(1, encoded.remaining(), opencv_core.CV_8UC1, input);
        Mat decoded = opencv_imgcodecs.imdecode(wrapped, opencv_imgcodecs.IMREAD_COLOR);
        Size size = new Size(width, height);
        Mat fitted = new Mat();
        Mat rgb = new Mat();
        Mat shifted = new Mat();
        Scalar mean = Scalar.all(127)) {
      if (decoded.empty()) {
        throw InferenceException.invalid("corrupt image: its data cannot be decoded");
      }
      opencv_imgproc.resize(decoded, fitted, size, 0, 0, opencv_imgproc.INTER_LINEAR);
      opencv_imgproc.cvtColor(fitted, rgb, opencv_imgproc.COLOR_BGR2RGB);
      rgb.convertTo(shifted, opencv_core.CV_32FC3, 1 / 128.0, -mean.get(0) / 128.0);
      FloatBuffer floats = shifted.createBuffer();
      return floats.limit() == 0 ? 0 : floats.get(0);
    }
  }
}
