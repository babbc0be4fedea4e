package dev.conveyor.models.image;

import dev.conveyor.models.DataType;
import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Shape;
import dev.conveyor.models.backend.ModelLoadException;
import dev.conveyor.models.config.ConfigException;
import dev.conveyor.models.config.Preprocessing;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.opencv.global.opencv_core;
import org.bytedeco.opencv.global.opencv_imgcodecs;
import org.bytedeco.opencv.global.opencv_imgproc;
import org.bytedeco.opencv.opencv_core.Mat;
import org.bytedeco.opencv.opencv_core.Rect;
import org.bytedeco.opencv.opencv_core.Scalar;
import org.bytedeco.opencv.opencv_core.Size;

/**
 * Turns one encoded image into the numbers that a model takes, as its {@link Preprocessing} says.
 *
 * <p>Thread-safe: it keeps no state between calls. A call blocks for milliseconds, so it does not
 * belong on an event loop.
 *
 * <p>Native memory is that of the decoded image, and is gone when the call returns, however it
 * does. Its size is bounded before anything is decoded: by {@code maxPixels}, read off the header.
 */
public final class ImagePreprocessor {

  private final Preprocessing config;
  private final long maxPixels;
  private final int outputBytesPerImage;
  private final PixelWriter writer;

  /**
   * Loads OpenCV if this is the first one.
   *
   * @param maxPixels images of more pixels are refused
   * @throws ModelLoadException if this machine cannot load OpenCV
   * @throws ConfigException if one preprocessed image would be over 2 GiB
   */
  public ImagePreprocessor(Preprocessing config, long maxPixels) {
    if (maxPixels < 1) {
      throw new IllegalArgumentException("maxPixels must be >= 1, was " + maxPixels);
    }
    this.config = config;
    this.maxPixels = maxPixels;
    this.outputBytesPerImage = outputBytes(config);
    this.writer = new PixelWriter(config);
    OpenCv.load();
  }

  /** Returns the shape of one preprocessed image, without a batch dimension. */
  public Shape outputShape() {
    int channels = config.color().channels();
    return switch (config.layout()) {
      case NCHW -> Shape.of(channels, config.height(), config.width());
      case NHWC -> Shape.of(config.height(), config.width(), channels);
    };
  }

  public DataType outputType() {
    return config.dataType();
  }

  public int outputBytesPerImage() {
    return outputBytesPerImage;
  }

  /**
   * Preprocesses the image between position and limit of {@code encoded} into {@link
   * #outputBytesPerImage} bytes of {@code target} from {@code targetOffset}, little-endian. Both
   * buffers may be on the heap or native, and keep their position and limit.
   *
   * @throws InferenceException with {@code INVALID_REQUEST} if the image is corrupt, truncated, too
   *     large or of another kind; what {@code target} holds then is undefined
   */
  public void process(ByteBuffer encoded, ByteBuffer target, int targetOffset) {
    check(ImageHeader.readComplete(encoded));
    decodeInto(encoded, target.slice(targetOffset, outputBytesPerImage));
  }

  private void check(ImageHeader header) {
    if (header.pixels() > maxPixels) {
      throw InferenceException.invalid(
          "%s of %d x %d pixels; at most %d pixels are decoded"
              .formatted(header.format(), header.width(), header.height(), maxPixels));
    }
    boolean jpeg = header.format() == ImageHeader.Format.JPEG;
    if (jpeg && header.components() != 1 && header.components() != 3) {
      throw InferenceException.invalid(
          "JPEG with %d colour components (CMYK?); send RGB or grey"
              .formatted(header.components()));
    }
  }

  private void decodeInto(ByteBuffer encoded, ByteBuffer target) {
    try (BytePointer input = nativeBytes(encoded);
        Mat wrapped = new Mat(1, encoded.remaining(), opencv_core.CV_8UC1, input);
        Mat decoded = opencv_imgcodecs.imdecode(wrapped, readMode())) {
      if (decoded.empty() || decoded.channels() != config.color().channels()) {
        throw InferenceException.invalid("corrupt image: its data cannot be decoded");
      }
      fit(decoded, target);
    } catch (InferenceException e) {
      throw e;
    } catch (RuntimeException e) {
      throw translate(e);
    } finally {
      Reference.reachabilityFence(encoded);
    }
  }

  private void fit(Mat decoded, ByteBuffer target) {
    switch (config.mode()) {
      case RESIZE -> stretch(decoded, target);
      case LETTERBOX -> letterbox(decoded, target);
    }
  }

  private void stretch(Mat decoded, ByteBuffer target) {
    try (Mat fitted = new Mat();
        Size size = new Size(config.width(), config.height())) {
      opencv_imgproc.resize(decoded, fitted, size, 0, 0, opencv_imgproc.INTER_LINEAR);
      writer.write(fitted, target);
    }
  }

  private void letterbox(Mat decoded, ByteBuffer target) {
    Letterbox box = Letterbox.fit(decoded.cols(), decoded.rows(), config.width(), config.height());
    try (Scalar padding = Scalar.all(config.padValue());
        Mat frame = new Mat(config.height(), config.width(), decoded.type(), padding);
        Rect rect = new Rect(box.x(), box.y(), box.width(), box.height());
        Mat inside = frame.apply(rect);
        Size size = new Size(box.width(), box.height())) {
      // Size and type match, so this writes into the frame and allocates nothing.
      opencv_imgproc.resize(decoded, inside, size, 0, 0, opencv_imgproc.INTER_LINEAR);
      writer.write(frame, target);
    }
  }

  private int readMode() {
    return config.color() == Preprocessing.Color.GRAY
        ? opencv_imgcodecs.IMREAD_GRAYSCALE
        : opencv_imgcodecs.IMREAD_COLOR;
  }

  /** Returns the bytes where they are if they are native, or a native copy of them. */
  private static BytePointer nativeBytes(ByteBuffer encoded) {
    if (encoded.isDirect()) {
      return new BytePointer(encoded.slice());
    }
    BytePointer copy = new BytePointer(encoded.remaining());
    copy.asByteBuffer().put(encoded.slice());
    return copy;
  }

  private static InferenceException translate(RuntimeException failure) {
    String message = String.valueOf(failure.getMessage());
    if (message.contains("Insufficient memory")) {
      return new InferenceException(
          ErrorCode.OUT_OF_MEMORY, "no memory to decode the image: " + message);
    }
    return InferenceException.invalid("corrupt image: " + message);
  }

  private static int outputBytes(Preprocessing config) {
    try {
      int pixels = Math.multiplyExact(config.height(), config.width());
      int values = Math.multiplyExact(pixels, config.color().channels());
      return Math.multiplyExact(values, config.dataType().sizeBytes());
    } catch (ArithmeticException e) {
      throw new ConfigException(
          "height, width",
          "an image of %d x %d is over 2 GiB".formatted(config.height(), config.width()));
    }
  }
}
