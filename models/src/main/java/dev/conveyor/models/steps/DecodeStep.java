package dev.conveyor.models.steps;

import dev.conveyor.models.BytesTensors;
import dev.conveyor.models.DataType;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.config.Preprocessing;
import dev.conveyor.models.image.ExifOrientation;
import dev.conveyor.models.image.ImageHeader;
import dev.conveyor.models.image.ImagePreprocessor;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * Encoded images as pixels, in the size they have, EXIF orientation applied. Images of one request
 * become one tensor, so they have one size.
 *
 * @param maxPixels of an image; the server's limit applies as well
 */
record DecodeStep(
    Preprocessing.Color color, Preprocessing.Layout layout, DataType type, int maxPixels)
    implements Step {

  static Step of(StepSettings settings) {
    return new DecodeStep(
        Preprocessing.Color.valueOf(settings.word("color", "RGB", "BGR", "GRAY")),
        Preprocessing.Layout.valueOf(settings.word("layout", "NCHW", "NHWC")),
        DataType.valueOf(settings.word("type", "UINT8", "FP32")),
        settings.integer("max_pixels", 1, Integer.MAX_VALUE, Integer.MAX_VALUE));
  }

  @Override
  public List<String> inputs() {
    return List.of("image");
  }

  @Override
  public List<TensorSpec> outputs(List<TensorSpec> inputs) {
    Specs.require(inputs.get(0), DataType.BYTES, 1, 2);
    return List.of(
        new TensorSpec("image", type, shape(inputs.get(0).shape().dim(0), Shape.DYNAMIC, -1)));
  }

  @Override
  public List<Tensor> run(List<Tensor> inputs, StepResources resources) {
    List<ByteBuffer> images = BytesTensors.elements(inputs.get(0));
    if (images.isEmpty()) {
      throw InferenceException.invalid("there is no image to decode");
    }
    int[] size = size(images.get(0));
    requireDecodable(size, resources.maxImagePixels());
    Shape shape = shape(images.size(), size[1], size[0]);
    Tensor pixels = resources.tensor("image", type, shape);
    ImagePreprocessor decoder =
        new ImagePreprocessor(
            new Preprocessing(
                "image",
                Preprocessing.Mode.RESIZE,
                size[1],
                size[0],
                color,
                layout,
                type,
                List.of(),
                List.of(),
                0),
            maxPixels);
    for (int i = 0; i < images.size(); i++) {
      int[] other = size(images.get(i));
      if (other[0] != size[0] || other[1] != size[1]) {
        throw InferenceException.invalid(
            "image 0 has %d x %d pixels and image %d has %d x %d: take them apart with for_each"
                .formatted(size[0], size[1], i, other[0], other[1]));
      }
      decode(decoder, images.get(i), i, pixels.data());
    }
    return List.of(pixels);
  }

  private void requireDecodable(int[] size, long serversLimit) {
    boolean own = maxPixels < serversLimit;
    long limit = own ? maxPixels : serversLimit;
    if ((long) size[0] * size[1] > limit) {
      throw InferenceException.invalid(
          "image 0 has %d x %d pixels, %s=%d are decoded"
              .formatted(size[0], size[1], own ? "max_pixels" : "limits.max_image_pixels", limit));
    }
  }

  @Override
  public boolean decodesImages() {
    return true;
  }

  private static void decode(ImagePreprocessor decoder, ByteBuffer image, int i, ByteBuffer to) {
    try {
      decoder.process(image, to, i * decoder.outputBytesPerImage());
    } catch (InferenceException e) {
      throw new InferenceException(e.code(), "image " + i + ": " + e.getMessage());
    }
  }

  private static int[] size(ByteBuffer image) {
    ImageHeader header = ImageHeader.read(image);
    return ExifOrientation.swapsSides(image)
        ? new int[] {header.height(), header.width()}
        : new int[] {header.width(), header.height()};
  }

  private Shape shape(long images, long height, long width) {
    return layout == Preprocessing.Layout.NCHW
        ? Shape.of(images, color.channels(), height, width)
        : Shape.of(images, height, width, color.channels());
  }
}
