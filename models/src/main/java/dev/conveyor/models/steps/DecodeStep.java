package dev.conveyor.models.steps;

import dev.conveyor.models.BytesTensors;
import dev.conveyor.models.DataType;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.LateBytes;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.config.Preprocessing;
import dev.conveyor.models.image.DeviceJpeg;
import dev.conveyor.models.image.ExifOrientation;
import dev.conveyor.models.image.ImageHeader;
import dev.conveyor.models.image.ImagePreprocessor;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Encoded images as pixels, EXIF orientation applied: in the size they have, which must be one for
 * all images of a request, or brought to a size and normalised, as a {@code preprocessing} block
 * does it.
 *
 * @param to what becomes of an image; its width and height are those of no image if {@code ownSize}
 * @param maxPixels of an image; the server's limit applies as well
 */
record DecodeStep(Preprocessing to, boolean ownSize, int maxPixels) implements Step {

  private static final int MAX_SIDE = 65_535;

  static Step of(StepSettings settings) {
    int width = settings.integer("width", 0, MAX_SIDE, 0);
    int height = settings.integer("height", 0, MAX_SIDE, 0);
    if (width == 0 != (height == 0)) {
      throw settings.refusal(
          width == 0 ? "width" : "height", "both width and height, or neither", 0);
    }
    boolean ownSize = width == 0;
    Preprocessing.Color color =
        Preprocessing.Color.valueOf(settings.word("color", "RGB", "BGR", "GRAY"));
    Preprocessing to =
        new Preprocessing(
            "image",
            Preprocessing.Mode.valueOf(settings.word("mode", "RESIZE", "LETTERBOX", "PAD")),
            ownSize ? 1 : height,
            ownSize ? 1 : width,
            color,
            Preprocessing.Layout.valueOf(settings.word("layout", "NCHW", "NHWC")),
            DataType.valueOf(settings.word("type", "UINT8", "FP32")),
            perChannel(settings, "mean", 0, color),
            perChannel(settings, "scale", 1, color),
            settings.integer("value", 0, 255, 0));
    return new DecodeStep(
        to, ownSize, settings.integer("max_pixels", 1, Integer.MAX_VALUE, Integer.MAX_VALUE));
  }

  /** None if nothing is set. */
  private static List<Double> perChannel(
      StepSettings settings, String key, float orElse, Preprocessing.Color color) {
    if (settings.text(key, "").isEmpty()) {
      return List.of();
    }
    float[] numbers = ConvertSteps.numbers(settings, key, orElse);
    ConvertSteps.requireChannels(settings, key, numbers.length, color.channels());
    List<Double> all = new ArrayList<>();
    for (int c = 0; c < color.channels(); c++) {
      all.add((double) numbers[c % numbers.length]);
    }
    return all;
  }

  @Override
  public List<String> inputs() {
    return List.of("image");
  }

  @Override
  public List<TensorSpec> outputs(List<TensorSpec> inputs) {
    Specs.require(inputs.get(0), DataType.BYTES, 1, 2);
    long images = inputs.get(0).shape().dim(0);
    Shape shape =
        ownSize ? shape(images, Shape.DYNAMIC, -1) : shape(images, to.height(), to.width());
    return List.of(new TensorSpec("image", to.dataType(), shape));
  }

  @Override
  public List<Tensor> run(List<Tensor> inputs, StepResources resources) {
    List<ByteBuffer> images = BytesTensors.elements(inputs.get(0));
    if (images.isEmpty()) {
      throw InferenceException.invalid("there is no image to decode");
    }
    int[] size = size(images.get(0));
    for (int i = 0; i < images.size(); i++) {
      int[] other = size(images.get(i));
      requireDecodable(i, other, resources.maxImagePixels());
      if (ownSize && (other[0] != size[0] || other[1] != size[1])) {
        throw InferenceException.invalid(
            "image 0 has %d x %d pixels and image %d has %d x %d: take them apart with for_each"
                .formatted(size[0], size[1], i, other[0], other[1]));
      }
    }
    Preprocessing preprocessing = ownSize ? inSize(size[0], size[1]) : to;
    Shape shape = shape(images.size(), preprocessing.height(), preprocessing.width());
    ImagePreprocessor decoder = new ImagePreprocessor(preprocessing, maxPixels);
    LateBytes there = onDevice(resources.decoderOf("image"), decoder, images);
    if (there != null) {
      return List.of(Tensor.late("image", to.dataType(), shape, there));
    }
    Tensor pixels = resources.tensor("image", to.dataType(), shape);
    for (int i = 0; i < images.size(); i++) {
      decode(decoder, images.get(i), i, pixels.data());
    }
    return List.of(pixels);
  }

  /** Returns null if one of the images is for the host: what they become is one tensor. */
  private static @Nullable LateBytes onDevice(
      @Nullable StepDevice device, ImagePreprocessor decoder, List<ByteBuffer> images) {
    if (device == null) {
      return null;
    }
    List<DeviceJpeg> jpegs = new ArrayList<>(images.size());
    for (int i = 0; i < images.size(); i++) {
      DeviceJpeg jpeg;
      try {
        jpeg = decoder.onDevice(images.get(i));
      } catch (InferenceException e) {
        throw ofImage(i, e);
      }
      if (jpeg == null) {
        return null;
      }
      jpegs.add(jpeg);
    }
    return device.tryDecode(jpegs);
  }

  private static InferenceException ofImage(int image, InferenceException e) {
    return new InferenceException(e.code(), "image " + image + ": " + e.getMessage());
  }

  private Preprocessing inSize(int width, int height) {
    return new Preprocessing(
        to.input(),
        to.mode(),
        height,
        width,
        to.color(),
        to.layout(),
        to.dataType(),
        to.mean(),
        to.scale(),
        to.padValue());
  }

  private void requireDecodable(int image, int[] size, long serversLimit) {
    boolean own = maxPixels < serversLimit;
    long limit = own ? maxPixels : serversLimit;
    if ((long) size[0] * size[1] > limit) {
      throw InferenceException.invalid(
          "image %d has %d x %d pixels, %s=%d are decoded"
              .formatted(
                  image, size[0], size[1], own ? "max_pixels" : "limits.max_image_pixels", limit));
    }
  }

  @Override
  public boolean decodesImages() {
    return true;
  }

  @Override
  public boolean makesOnDevice() {
    return true;
  }

  private static void decode(ImagePreprocessor decoder, ByteBuffer image, int i, ByteBuffer to) {
    try {
      decoder.process(image, to, i * decoder.outputBytesPerImage());
    } catch (InferenceException e) {
      throw ofImage(i, e);
    }
  }

  private static int[] size(ByteBuffer image) {
    ImageHeader header = ImageHeader.read(image);
    return ExifOrientation.swapsSides(image)
        ? new int[] {header.height(), header.width()}
        : new int[] {header.width(), header.height()};
  }

  private Shape shape(long images, long height, long width) {
    int channels = to.color().channels();
    return to.layout() == Preprocessing.Layout.NCHW
        ? Shape.of(images, channels, height, width)
        : Shape.of(images, height, width, channels);
  }
}
