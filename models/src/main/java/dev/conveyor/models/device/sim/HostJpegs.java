package dev.conveyor.models.device.sim;

import com.sun.jna.Pointer;
import dev.conveyor.memory.cuda.sim.CudaSimulator.JpegFunction;
import dev.conveyor.models.image.OpenCv;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.opencv.global.opencv_core;
import org.bytedeco.opencv.global.opencv_imgcodecs;
import org.bytedeco.opencv.opencv_core.Mat;

/**
 * Decodes for the simulated nvJPEG with OpenCV: the pixels are the host's, so what a comparison
 * with the host shows is what is done with them, and not how they are decoded. Thread-safe.
 */
public final class HostJpegs implements JpegFunction {

  private static final int REFUSED = 1;

  /** Loads OpenCV. */
  public HostJpegs() {
    OpenCv.load();
  }

  @Override
  public int decode(Pointer data, long bytes, int channels, Pointer pixels, long room) {
    int mode =
        (channels == 1 ? opencv_imgcodecs.IMREAD_GRAYSCALE : opencv_imgcodecs.IMREAD_COLOR)
            | opencv_imgcodecs.IMREAD_IGNORE_ORIENTATION;
    try (BytePointer encoded = new BytePointer(data.getByteBuffer(0, bytes));
        Mat wrapped = new Mat(1, (int) bytes, opencv_core.CV_8UC1, encoded);
        Mat decoded = opencv_imgcodecs.imdecode(wrapped, mode)) {
      if (decoded.empty() || decoded.total() * decoded.elemSize() != room) {
        return REFUSED;
      }
      byte[] copy = new byte[(int) room];
      try (BytePointer from = decoded.data()) {
        from.get(copy);
      }
      pixels.write(0, copy, 0, copy.length);
      return 0;
    } catch (RuntimeException e) {
      return REFUSED;
    }
  }
}
