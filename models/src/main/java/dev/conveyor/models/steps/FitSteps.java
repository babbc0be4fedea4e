package dev.conveyor.models.steps;

import dev.conveyor.models.DataType;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.config.Preprocessing.Mode;
import dev.conveyor.models.config.Preprocessing.Size;
import dev.conveyor.models.image.Letterbox;
import dev.conveyor.models.image.Placement;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * Images of any size in one of a few sizes, so that those of different requests share batches, and
 * boxes back in the coordinates of the image. Stateless.
 */
final class FitSteps {

  private FitSteps() {}

  /** Settings {@code sizes} ("320x240,640x480"), {@code mode} and {@code value} of the padding. */
  static Step fit(StepSettings settings) {
    Mode mode = Mode.valueOf(settings.word("mode", "PAD", "LETTERBOX", "RESIZE"));
    return fit(mode, buckets(settings), value(settings));
  }

  /** Settings {@code width}, {@code height} and {@code value} of the padding. */
  static Step letterbox(StepSettings settings) {
    Size frame = new Size(Specs.size(settings, "width"), Specs.size(settings, "height"));
    return fit(Mode.LETTERBOX, List.of(frame), value(settings));
  }

  private static float value(StepSettings settings) {
    return (float) settings.number("value", -1e30, 1e30, 0);
  }

  private static List<Size> buckets(StepSettings settings) {
    String text = settings.text("sizes", "");
    List<Size> buckets = new ArrayList<>();
    for (String size : text.split(",", -1)) {
      String[] sides = size.strip().split("x", -1);
      try {
        int width = Integer.parseInt(sides[0]);
        int height = Integer.parseInt(sides[sides.length - 1]);
        if (sides.length == 2 && width > 0 && height > 0 && Math.max(width, height) <= 65_535) {
          buckets.add(new Size(width, height));
          continue;
        }
      } catch (NumberFormatException e) {
        // Refused below.
      }
      throw settings.refusal("sizes", "sizes such as 320x240,640x480", "\"" + text + "\"");
    }
    return buckets;
  }

  private static Step fit(Mode mode, List<Size> buckets, float value) {
    return new FunctionStep(
        List.of("image"),
        specs -> {
          TensorSpec image = specs.get(0);
          Specs.requireImage(image);
          long n = image.shape().dim(0);
          boolean one = buckets.size() == 1;
          Shape shape =
              Shape.of(
                  n,
                  image.shape().dim(1),
                  one ? buckets.get(0).height() : Shape.DYNAMIC,
                  one ? buckets.get(0).width() : Shape.DYNAMIC);
          return List.of(
              new TensorSpec("image", image.type(), shape),
              new TensorSpec("size", DataType.INT32, Shape.of(n, 2)),
              new TensorSpec("frame", DataType.INT32, Shape.of(n, 4)));
        },
        (tensors, resources) -> fit(mode, buckets, value, tensors.get(0), resources));
  }

  private static List<Tensor> fit(
      Mode mode, List<Size> buckets, float value, Tensor image, StepResources resources) {
    int n = (int) image.shape().dim(0);
    int planes = (int) image.shape().dim(1);
    int height = (int) image.shape().dim(2);
    int width = (int) image.shape().dim(3);
    boolean none = width == 0 || height == 0;
    if (none && n > 0) {
      throw InferenceException.invalid("the image has no pixels: " + image.shape());
    }
    Size source = none ? buckets.get(0) : new Size(width, height);
    Size bucket = Placement.choose(mode, buckets, List.of(source));
    Letterbox place = Placement.of(mode, bucket, source).frame();
    Shape shape = Shape.of(n, planes, bucket.height(), bucket.width());
    Tensor out = resources.tensor("image", image.type(), shape);
    if (value != 0) {
      for (int i = 0; i < shape.elements(); i++) {
        Resampler.put(image.type(), out.data(), i, value);
      }
    }
    float[] all = {0, 0, width, height};
    for (int plane = 0; plane < n * planes; plane++) {
      Resampler.plane(
          image.type(),
          image.data(),
          new Resampler.Plane(plane, width, height),
          all,
          out.data(),
          new Resampler.Plane(plane, bucket.width(), bucket.height()),
          place);
    }
    Tensor size = resources.tensor("size", DataType.INT32, Shape.of(n, 2));
    Tensor frame = resources.tensor("frame", DataType.INT32, Shape.of(n, 4));
    for (int i = 0; i < n; i++) {
      size.data().putInt(8 * i, width).putInt(8 * i + 4, height);
      frame.data().putInt(16 * i, place.x()).putInt(16 * i + 4, place.y());
      frame.data().putInt(16 * i + 8, place.width()).putInt(16 * i + 12, place.height());
    }
    return List.of(out, size, frame);
  }

  /** Boxes in pixels of what {@link #fit} gave, in pixels of what it got. */
  static Step unfit() {
    return new FunctionStep(
        List.of("boxes", "size", "frame"),
        specs -> {
          Specs.require(specs.get(0), DataType.FP32, 3, 3);
          Specs.requireLast(specs.get(0), 4);
          Specs.require(specs.get(1), DataType.INT32, 2, 2);
          Specs.requireLast(specs.get(1), 2);
          Specs.require(specs.get(2), DataType.INT32, 2, 2);
          Specs.requireLast(specs.get(2), 4);
          return List.of(new TensorSpec("boxes", DataType.FP32, specs.get(0).shape()));
        },
        FitSteps::unfit);
  }

  private static List<Tensor> unfit(List<Tensor> inputs, StepResources resources) {
    Tensor boxes = inputs.get(0);
    Specs.requireRows(inputs.get(1), boxes.shape().dim(0));
    Specs.requireRows(inputs.get(2), boxes.shape().dim(0));
    ByteBuffer size = inputs.get(1).data();
    ByteBuffer frame = inputs.get(2).data();
    Tensor source = resources.tensor("boxes", DataType.FP32, boxes.shape());
    ByteBuffer out = source.data();
    int each = (int) boxes.shape().dim(1) * 4;
    for (int i = 0; i < out.limit() / 4; i++) {
      int image = i / each;
      int axis = i % 2;
      float at = boxes.data().getFloat(4 * i) - frame.getInt(16 * image + 4 * axis);
      float scale =
          (float) size.getInt(8 * image + 4 * axis) / frame.getInt(16 * image + 8 + 4 * axis);
      out.putFloat(4 * i, at * scale);
    }
    return List.of(source);
  }
}
