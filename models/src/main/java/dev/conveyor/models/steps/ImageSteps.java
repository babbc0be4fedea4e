package dev.conveyor.models.steps;

import dev.conveyor.models.BytesTensors;
import dev.conveyor.models.DataType;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.config.ConfigException;
import dev.conveyor.models.image.ExifOrientation;
import dev.conveyor.models.image.ImageHeader;
import dev.conveyor.models.image.Letterbox;
import java.nio.ByteBuffer;
import java.util.List;

/** Steps between the coordinates of a model and those of the image it was made from. Stateless. */
final class ImageSteps {

  private ImageSteps() {}

  /** Width and height of encoded images, as they are once decoded. */
  static Step imageSize() {
    return new Step() {
      @Override
      public List<String> inputs() {
        return List.of("image");
      }

      @Override
      public List<TensorSpec> outputs(List<TensorSpec> inputs) {
        Specs.require(inputs.get(0), DataType.BYTES, 1, 2);
        return List.of(
            new TensorSpec("size", DataType.INT32, Shape.of(inputs.get(0).shape().dim(0), 2)));
      }

      @Override
      public List<Tensor> run(List<Tensor> inputs, StepResources resources) {
        List<ByteBuffer> images = BytesTensors.elements(inputs.get(0));
        Tensor sizes = resources.tensor("size", DataType.INT32, Shape.of(images.size(), 2));
        ByteBuffer size = sizes.data();
        for (int i = 0; i < images.size(); i++) {
          ImageHeader header = ImageHeader.read(images.get(i));
          boolean turned = ExifOrientation.swapsSides(images.get(i));
          size.putInt(8 * i, turned ? header.height() : header.width());
          size.putInt(8 * i + 4, turned ? header.width() : header.height());
        }
        return List.of(sizes);
      }
    };
  }

  /**
   * Boxes of a model's frame in pixels of the source image; the inverse of how preprocessing
   * resizes or letterboxes.
   */
  static Step toSource(StepSettings settings) {
    int width = settings.integer("width", 0, 65_535, 0);
    int height = settings.integer("height", 0, 65_535, 0);
    boolean letterbox = settings.word("mode", "resize", "letterbox").equals("letterbox");
    boolean pixels = settings.word("boxes", "normalized", "pixels").equals("pixels");
    if (width == 0 || height == 0) {
      throw new ConfigException(
          "model_name", "parameters step[n].width and step[n].height: the frame of the model");
    }
    return new Step() {
      @Override
      public List<String> inputs() {
        return List.of("boxes", "size");
      }

      @Override
      public List<TensorSpec> outputs(List<TensorSpec> inputs) {
        Specs.require(inputs.get(0), DataType.FP32, 3, 3);
        Specs.requireLast(inputs.get(0), 4);
        Specs.require(inputs.get(1), DataType.INT32, 2, 2);
        Specs.requireLast(inputs.get(1), 2);
        return List.of(new TensorSpec("boxes", DataType.FP32, inputs.get(0).shape()));
      }

      @Override
      public List<Tensor> run(List<Tensor> inputs, StepResources resources) {
        Tensor boxes = inputs.get(0);
        Tensor size = inputs.get(1);
        if (size.shape().dim(0) != boxes.shape().dim(0)) {
          throw InferenceException.invalid(
              "sizes %s and boxes %s are not of the same images"
                  .formatted(size.shape(), boxes.shape()));
        }
        Tensor out = resources.tensor("boxes", DataType.FP32, boxes.shape());
        ByteBuffer source = out.data();
        int each = (int) boxes.shape().dim(1) * 4;
        for (int i = 0; i < source.limit() / 4; i++) {
          int image = i / each;
          boolean isX = i % 2 == 0;
          int imageWidth = size.data().getInt(8 * image);
          int imageHeight = size.data().getInt(8 * image + 4);
          Letterbox fit =
              letterbox
                  ? Letterbox.fit(imageWidth, imageHeight, width, height)
                  : new Letterbox(0, 0, width, height);
          float at = boxes.data().getFloat(4 * i) * (pixels ? 1 : isX ? width : height);
          source.putFloat(
              4 * i,
              isX
                  ? (at - fit.x()) * imageWidth / fit.width()
                  : (at - fit.y()) * imageHeight / fit.height());
        }
        return List.of(out);
      }
    };
  }
}
