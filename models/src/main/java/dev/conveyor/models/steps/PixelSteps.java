package dev.conveyor.models.steps;

import dev.conveyor.models.Crops;
import dev.conveyor.models.DataType;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.config.ConfigException;
import dev.conveyor.models.image.Letterbox;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Steps on the pixels of FP32 images [n, channels, height, width] and of masks. Stateless. */
final class PixelSteps {

  private PixelSteps() {}

  /** A box of each image, or all of it, in another size; bilinear, edges repeated. */
  static Step resample(StepSettings settings, boolean box) {
    int width = settings.integer("width", 0, 16_384, 0);
    int height = settings.integer("height", 0, 16_384, 0);
    if (width == 0 || height == 0) {
      throw new ConfigException(
          "model_name", "parameters step[n].width and step[n].height: the size wanted");
    }
    return new Step() {
      @Override
      public List<String> inputs() {
        return box ? List.of("image", "box") : List.of("image");
      }

      @Override
      public List<TensorSpec> outputs(List<TensorSpec> inputs) {
        Specs.requireImage(inputs.get(0));
        if (box) {
          Specs.require(inputs.get(1), DataType.FP32, 2, 2);
          Specs.requireLast(inputs.get(1), 4);
        }
        Shape image = inputs.get(0).shape();
        Shape shape = Shape.of(image.dim(0), image.dim(1), height, width);
        return List.of(new TensorSpec("image", inputs.get(0).type(), shape));
      }

      @Override
      public List<Tensor> run(List<Tensor> inputs, StepResources resources) {
        Tensor image = inputs.get(0);
        Shape from = image.shape();
        Shape shape = Shape.of(from.dim(0), from.dim(1), height, width);
        int planes = (int) from.dim(1);
        int sourceHeight = (int) from.dim(2);
        int sourceWidth = (int) from.dim(3);
        if (from.dim(0) > 0 && (sourceWidth == 0 || sourceHeight == 0)) {
          throw InferenceException.invalid("the image has no pixels: " + from);
        }
        // Without planes a shape may name any number of images without a single byte.
        long images = planes == 0 && !box ? 0 : from.dim(0);
        List<Crops.Box> boxes = new ArrayList<>();
        for (int n = 0; n < images; n++) {
          boxes.add(
              box
                  ? corners(inputs.get(1), n, sourceWidth, sourceHeight)
                  : new Crops.Box(0, 0, sourceWidth, sourceHeight));
        }
        Crops crops =
            new Crops(image.type(), planes, sourceWidth, sourceHeight, width, height, boxes);
        Tensor there = resources.tryWork(image, crops, "image", image.type(), shape);
        return List.of(
            there == null
                ? onHost(image, crops, resources.tensor("image", image.type(), shape))
                : there);
      }

      @Override
      public boolean worksOnDevice(String input) {
        return input.equals("image");
      }
    };
  }

  private static Tensor onHost(Tensor image, Crops crops, Tensor out) {
    Letterbox all = new Letterbox(0, 0, crops.width(), crops.height());
    int planes = crops.planes();
    for (int n = 0; n < crops.boxes().size(); n++) {
      Crops.Box box = crops.boxes().get(n);
      float[] corners = {box.left(), box.top(), box.right(), box.bottom()};
      for (int plane = n * planes; plane < (n + 1) * planes; plane++) {
        Resampler.plane(
            image.type(),
            image.data(),
            new Resampler.Plane(plane, crops.sourceWidth(), crops.sourceHeight()),
            corners,
            out.data(),
            new Resampler.Plane(plane, crops.width(), crops.height()),
            all);
      }
    }
    return out;
  }

  private static Crops.Box corners(Tensor boxes, int image, int width, int height) {
    if (boxes.shape().dim(0) <= image) {
      throw InferenceException.invalid("no box for image " + image);
    }
    float[] box = new float[4];
    for (int c = 0; c < 4; c++) {
      box[c] = boxes.data().getFloat(4 * (4 * image + c));
    }
    if (!(box[2] > box[0] && box[3] > box[1])
        || !Float.isFinite(box[2] - box[0])
        || !Float.isFinite(box[3] - box[1])) {
      throw InferenceException.invalid(
          "box %d has no area: %s".formatted(image, Arrays.toString(box)));
    }
    if (!(box[0] < width && box[1] < height && box[2] > 0 && box[3] > 0)) {
      throw InferenceException.invalid(
          "box %d has no area in the image of %d x %d: %s"
              .formatted(image, width, height, Arrays.toString(box)));
    }
    return new Crops.Box(box[0], box[1], box[2], box[3]);
  }

  /** Share of pixels that are set, and the box around them; 0 if there are none. */
  static Step maskStatistics() {
    return new Step() {
      @Override
      public List<String> inputs() {
        return List.of("mask");
      }

      @Override
      public List<TensorSpec> outputs(List<TensorSpec> inputs) {
        Specs.require(inputs.get(0), DataType.UINT8, 3, 4);
        long images = inputs.get(0).shape().dim(0);
        return List.of(
            new TensorSpec("area", DataType.FP32, Shape.of(images, 1)),
            new TensorSpec("box", DataType.FP32, Shape.of(images, 4)));
      }

      @Override
      public List<Tensor> run(List<Tensor> inputs, StepResources resources) {
        Tensor mask = inputs.get(0);
        int images = (int) mask.shape().dim(0);
        Tensor area = resources.tensor("area", DataType.FP32, Shape.of(images, 1));
        Tensor box = resources.tensor("box", DataType.FP32, Shape.of(images, 4));
        int pixels = images == 0 ? 0 : mask.sizeBytes() / images;
        for (int n = 0; n < images; n++) {
          measure(mask, n, pixels, area.data(), box.data());
        }
        return List.of(area, box);
      }
    };
  }

  private static void measure(Tensor mask, int n, int pixels, ByteBuffer area, ByteBuffer box) {
    int width = Specs.last(mask);
    int height = (int) mask.shape().dim(mask.shape().rank() - 2);
    int[] bounds = {width, height, 0, 0};
    int set = 0;
    for (int i = 0; i < pixels; i++) {
      if (mask.data().get(n * pixels + i) != 0) {
        int x = i % width;
        int y = i / width % height;
        bounds[0] = Math.min(bounds[0], x);
        bounds[1] = Math.min(bounds[1], y);
        bounds[2] = Math.max(bounds[2], x + 1);
        bounds[3] = Math.max(bounds[3], y + 1);
        set++;
      }
    }
    area.putFloat(4 * n, pixels == 0 ? 0 : (float) set / pixels);
    for (int c = 0; set > 0 && c < 4; c++) {
      box.putFloat(4 * (4 * n + c), bounds[c]);
    }
  }
}
