package dev.conveyor.models.image;

import dev.conveyor.models.DataType;
import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Shape;
import dev.conveyor.models.backend.ModelLoadException;
import dev.conveyor.models.config.ConfigException;
import dev.conveyor.models.config.Preprocessing;
import dev.conveyor.models.config.Preprocessing.Size;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.util.List;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.opencv.global.opencv_core;
import org.bytedeco.opencv.global.opencv_imgcodecs;
import org.bytedeco.opencv.global.opencv_imgproc;
import org.bytedeco.opencv.opencv_core.Mat;
import org.bytedeco.opencv.opencv_core.Rect;
import org.bytedeco.opencv.opencv_core.Scalar;
import org.jspecify.annotations.Nullable;

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
  private final Size first;
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
    this.first = config.allSizes().get(0);
    for (Size size : config.allSizes()) {
      int unused = outputBytes(config, size); // refuses what is too large
    }
    this.writer = new PixelWriter(config);
    OpenCv.load();
  }

  /** Returns the shape of one preprocessed image of the first size, without a batch dimension. */
  public Shape outputShape() {
    return outputShape(first);
  }

  /** Returns the shape of one preprocessed image of a size, without a batch dimension. */
  Shape outputShape(Size size) {
    int channels = config.color().channels();
    return switch (config.layout()) {
      case NCHW -> Shape.of(channels, size.height(), size.width());
      case NHWC -> Shape.of(size.height(), size.width(), channels);
    };
  }

  public DataType outputType() {
    return config.dataType();
  }

  public int outputBytesPerImage() {
    return outputBytes(config, first);
  }

  /** Returns the bytes of one preprocessed image of a size. */
  int outputBytes(Size size) {
    return outputBytes(config, size);
  }

  /** Returns whether images may get one of several sizes. */
  boolean hasChoice() {
    return config.allSizes().size() > 1;
  }

  /** Returns the size that wastes least for images of these sizes together. */
  Size choose(List<Size> images) {
    return hasChoice() ? Placement.choose(config.mode(), config.allSizes(), images) : first;
  }

  /**
   * Returns the size of an image as it is decoded, going by its header.
   *
   * @throws InferenceException with {@code INVALID_REQUEST} if it has none
   */
  static Size sizeOf(ByteBuffer encoded) {
    ImageHeader header = ImageHeader.read(encoded);
    return ExifOrientation.swapsSides(encoded)
        ? new Size(header.height(), header.width())
        : new Size(header.width(), header.height());
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
    Placement unused = process(encoded, first, target, targetOffset);
  }

  /** As {@link #process(ByteBuffer, ByteBuffer, int)}, to a size; returns where the image lies. */
  Placement process(ByteBuffer encoded, Size size, ByteBuffer target, int targetOffset) {
    check(encoded);
    return decodeInto(encoded, size, target.slice(targetOffset, outputBytes(size)));
  }

  /**
   * Returns an image for a device to decode, in the memory it is in; null if that is for the host.
   *
   * @throws InferenceException as {@link #process}, without decoding anything
   */
  public @Nullable DeviceJpeg onDevice(ByteBuffer encoded) {
    check(encoded);
    return PlainJpeg.is(encoded, config.color())
        ? new DeviceJpeg(
            encoded, config, first, Placement.of(config.mode(), first, sizeOf(encoded)))
        : null;
  }

  /** Refuses what {@link #process} refuses without decoding anything. */
  void check(ByteBuffer encoded) {
    ImageHeader header = ImageHeader.readComplete(encoded);
    if (header.pixels() > maxPixels) {
      throw InferenceException.invalid(
          "%s of %d x %d pixels; at most %d pixels are decoded"
              .formatted(header.format(), header.width(), header.height(), maxPixels));
    }
    if (header.format() == ImageHeader.Format.JPEG && !hasKnownColours(header, encoded)) {
      throw InferenceException.invalid(
          "JPEG with %d colour components (CMYK?) and no marker of Adobe's that says how they are meant; send RGB or grey"
              .formatted(header.components()));
    }
  }

  private static boolean hasKnownColours(ImageHeader header, ByteBuffer encoded) {
    return switch (header.components()) {
      case 1, 3 -> true;
      case 4 -> new JpegStream(encoded.slice()).hasAdobeMarker();
      default -> false;
    };
  }

  Preprocessing config() {
    return config;
  }

  private Placement decodeInto(ByteBuffer encoded, Size size, ByteBuffer target) {
    try (BytePointer input = nativeBytes(encoded);
        Mat wrapped = new Mat(1, encoded.remaining(), opencv_core.CV_8UC1, input);
        Mat decoded = opencv_imgcodecs.imdecode(wrapped, readMode())) {
      if (decoded.empty() || decoded.channels() != config.color().channels()) {
        throw InferenceException.invalid("corrupt image: its data cannot be decoded");
      }
      return fit(decoded, size, target);
    } catch (InferenceException e) {
      throw e;
    } catch (RuntimeException e) {
      throw translate(e);
    } finally {
      Reference.reachabilityFence(encoded);
    }
  }

  private Placement fit(Mat decoded, Size size, ByteBuffer target) {
    Placement placement =
        Placement.of(config.mode(), size, new Size(decoded.cols(), decoded.rows()));
    Letterbox box = placement.frame();
    if (box.width() == size.width() && box.height() == size.height()) {
      stretch(decoded, size, target);
      return placement;
    }
    try (Scalar padding = Scalar.all(config.padValue());
        Mat frame = new Mat(size.height(), size.width(), decoded.type(), padding);
        Rect rect = new Rect(box.x(), box.y(), box.width(), box.height());
        Mat inside = frame.apply(rect);
        org.bytedeco.opencv.opencv_core.Size to = nativeSize(box.width(), box.height())) {
      // Size and type match, so this writes into the frame and allocates nothing.
      opencv_imgproc.resize(decoded, inside, to, 0, 0, opencv_imgproc.INTER_LINEAR);
      writer.write(frame, target);
    }
    return placement;
  }

  private void stretch(Mat decoded, Size size, ByteBuffer target) {
    try (Mat fitted = new Mat();
        org.bytedeco.opencv.opencv_core.Size to = nativeSize(size.width(), size.height())) {
      opencv_imgproc.resize(decoded, fitted, to, 0, 0, opencv_imgproc.INTER_LINEAR);
      writer.write(fitted, target);
    }
  }

  private static org.bytedeco.opencv.opencv_core.Size nativeSize(int width, int height) {
    return new org.bytedeco.opencv.opencv_core.Size(width, height);
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

  private static int outputBytes(Preprocessing config, Size size) {
    try {
      int pixels = Math.multiplyExact(size.height(), size.width());
      int values = Math.multiplyExact(pixels, config.color().channels());
      return Math.multiplyExact(values, config.dataType().sizeBytes());
    } catch (ArithmeticException e) {
      throw new ConfigException(
          "height, width",
          "an image of %d x %d is over 2 GiB".formatted(size.height(), size.width()));
    }
  }
}
