package dev.conveyor.models.steps;

import dev.conveyor.models.DataType;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.image.Letterbox;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * What a model says of each pixel that {@code fit} or {@code letterbox} gave it, such as a mask, in
 * the size of the image that they got. Padding is cut off and does not bleed into what is left.
 *
 * @param stride pixels that the model got for each that it gave, along a side
 * @param nearest takes the nearest pixel, as numbers of classes need it; otherwise bilinear
 */
record UnfitImageStep(int stride, boolean nearest) implements Step {

  static Step of(StepSettings settings) {
    return new UnfitImageStep(
        settings.integer("stride", 1, 1024, 1),
        settings.word("sampling", "bilinear", "nearest").equals("nearest"));
  }

  @Override
  public List<String> inputs() {
    return List.of("image", "size", "frame");
  }

  @Override
  public List<TensorSpec> outputs(List<TensorSpec> inputs) {
    TensorSpec image = inputs.get(0);
    Specs.requireImage(image);
    Specs.require(inputs.get(1), DataType.INT32, 2, 2);
    Specs.requireLast(inputs.get(1), 2);
    Specs.require(inputs.get(2), DataType.INT32, 2, 2);
    Specs.requireLast(inputs.get(2), 4);
    Shape shape =
        Shape.of(image.shape().dim(0), image.shape().dim(1), Shape.DYNAMIC, Shape.DYNAMIC);
    return List.of(new TensorSpec("image", image.type(), shape));
  }

  @Override
  public List<Tensor> run(List<Tensor> inputs, StepResources resources) {
    Tensor image = inputs.get(0);
    ByteBuffer size = inputs.get(1).data();
    ByteBuffer frame = inputs.get(2).data();
    int n = (int) image.shape().dim(0);
    int planes = (int) image.shape().dim(1);
    Specs.requireRows(inputs.get(1), n);
    Specs.requireRows(inputs.get(2), n);
    int width = n == 0 ? 0 : size.getInt(0);
    int height = n == 0 ? 0 : size.getInt(4);
    for (int i = 0; i < n; i++) {
      requireSize(i, size.getInt(8 * i), size.getInt(8 * i + 4), width, height);
      requireInside(i, frame, image.shape());
    }
    Tensor out = resources.tensor("image", image.type(), Shape.of(n, planes, height, width));
    for (int plane = 0; plane < n * planes; plane++) {
      fill(image, plane, frame, 16 * (plane / planes), out);
    }
    return List.of(out);
  }

  private void fill(Tensor image, int plane, ByteBuffer frame, int at, Tensor out) {
    float[] box = new float[4];
    int[] first = new int[2];
    int[] last = new int[2];
    for (int axis = 0; axis < 2; axis++) {
      float from = (float) frame.getInt(at + 4 * axis) / stride;
      float end = from + (float) frame.getInt(at + 8 + 4 * axis) / stride;
      int side = (int) image.shape().dim(3 - axis);
      box[axis] = from;
      box[2 + axis] = end;
      // Those wholly inside, but one at least.
      first[axis] = Math.min(side - 1, (int) Math.ceil(from));
      last[axis] = Math.max(first[axis], (int) end - 1);
    }
    var source = new Resampler.Plane(plane, (int) image.shape().dim(3), (int) image.shape().dim(2));
    var target = new Resampler.Plane(plane, (int) out.shape().dim(3), (int) out.shape().dim(2));
    var read = new Resampler.Bounds(first[0], first[1], last[0], last[1]);
    if (nearest) {
      takeNearest(image, source, box, read, out, target);
    } else {
      Letterbox all = new Letterbox(0, 0, target.width(), target.height());
      Resampler.plane(image.type(), image.data(), source, box, read, out.data(), target, all);
    }
  }

  private static void takeNearest(
      Tensor image,
      Resampler.Plane source,
      float[] box,
      Resampler.Bounds read,
      Tensor out,
      Resampler.Plane target) {
    float stepX = (box[2] - box[0]) / target.width();
    float stepY = (box[3] - box[1]) / target.height();
    for (int y = 0; y < target.height(); y++) {
      int row = (int) (box[1] + (y + 0.5f) * stepY);
      int fromY = Math.max(read.top(), Math.min(read.bottom(), row));
      for (int x = 0; x < target.width(); x++) {
        int column = (int) (box[0] + (x + 0.5f) * stepX);
        int fromX = Math.max(read.left(), Math.min(read.right(), column));
        float value = Resampler.get(image.type(), image.data(), source.at(fromX, fromY));
        Resampler.put(image.type(), out.data(), target.at(x, y), value);
      }
    }
  }

  private static void requireSize(int image, int width, int height, int first, int firstHeight) {
    if (width < 1 || height < 1) {
      throw InferenceException.invalid(
          "size %d is %d x %d, which has no pixels".formatted(image, width, height));
    }
    if (width != first || height != firstHeight) {
      throw InferenceException.invalid(
          "size 0 is %d x %d and size %d is %d x %d: take them apart with for_each"
              .formatted(first, firstHeight, image, width, height));
    }
  }

  private void requireInside(int image, ByteBuffer frame, Shape shape) {
    long x = frame.getInt(16 * image);
    long y = frame.getInt(16 * image + 4);
    long width = frame.getInt(16 * image + 8);
    long height = frame.getInt(16 * image + 12);
    boolean inside =
        x >= 0
            && y >= 0
            && width > 0
            && height > 0
            && x + width <= shape.dim(3) * stride
            && y + height <= shape.dim(2) * stride;
    if (!inside) {
      throw InferenceException.invalid(
          "frame %d, %d x %d at %d, %d, is not inside of %d x %d pixels with stride=%d"
              .formatted(image, width, height, x, y, shape.dim(3), shape.dim(2), stride));
    }
  }
}
