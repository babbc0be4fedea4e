package dev.conveyor.models.steps;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.config.ConfigException;
import java.util.Arrays;
import java.util.List;

/** Numbers, colours and layout of images. Stateless. */
final class ConvertSteps {

  /** ITU-R BT.601, as OpenCV's grey. */
  private static final float[] GREY = {0.299f, 0.587f, 0.114f};

  private ConvertSteps() {}

  static void requireChannels(StepSettings settings, String key, int numbers, long channels) {
    if (numbers > 1 && channels != Shape.DYNAMIC && numbers != channels) {
      throw settings.refusal(
          key, "1 number or one for each of " + channels + " channels", numbers + " numbers");
    }
  }

  static float[] numbers(StepSettings settings, String key, float orElse) {
    String text = settings.text(key, "");
    if (text.isEmpty()) {
      return new float[] {orElse};
    }
    String[] parts = text.split(",", -1);
    float[] numbers = new float[parts.length];
    for (int i = 0; i < parts.length; i++) {
      try {
        numbers[i] = Float.parseFloat(parts[i].strip());
      } catch (NumberFormatException e) {
        numbers[i] = Float.NaN;
      }
      if (!Float.isFinite(numbers[i])) {
        throw settings.refusal(key, "numbers such as 0.5,0.5,0.5", "\"" + text + "\"");
      }
    }
    return numbers;
  }

  /**
   * Another order of dimensions ({@code from}, {@code to}), of channels ({@code color}: {@code
   * keep}, {@code swap} of red and blue, {@code gray} of red, green, blue) and another type.
   */
  static Step convert(StepSettings settings) {
    boolean fromLast = settings.word("from", "NCHW", "NHWC").equals("NHWC");
    boolean toLast = settings.word("to", "NCHW", "NHWC").equals("NHWC");
    String color = settings.word("color", "keep", "swap", "gray");
    String type = settings.word("type", "keep", "UINT8", "FP32");
    return new FunctionStep(
        List.of("image"),
        specs -> {
          TensorSpec image = specs.get(0);
          Specs.requireImage(image);
          long channels = image.shape().dim(fromLast ? 3 : 1);
          if (!color.equals("keep") && channels != 3 && channels != Shape.DYNAMIC) {
            throw new ConfigException("input_map.image", "3 channels", image.shape());
          }
          return List.of(
              new TensorSpec(
                  "image",
                  type.equals("keep") ? image.type() : DataType.valueOf(type),
                  converted(image.shape(), fromLast, toLast, color)));
        },
        (tensors, resources) -> {
          Tensor image = tensors.get(0);
          DataType to = type.equals("keep") ? image.type() : DataType.valueOf(type);
          Shape shape = converted(image.shape(), fromLast, toLast, color);
          Tensor out = resources.tensor("image", to, shape);
          convert(image, out, fromLast, toLast, color);
          return List.of(out);
        });
  }

  private static Shape converted(Shape from, boolean fromLast, boolean toLast, String color) {
    long channels = color.equals("gray") ? 1 : from.dim(fromLast ? 3 : 1);
    long height = from.dim(fromLast ? 1 : 2);
    long width = from.dim(fromLast ? 2 : 3);
    return toLast
        ? Shape.of(from.dim(0), height, width, channels)
        : Shape.of(from.dim(0), channels, height, width);
  }

  private static void convert(
      Tensor image, Tensor out, boolean fromLast, boolean toLast, String color) {
    Shape shape = out.shape();
    int channels = (int) image.shape().dim(fromLast ? 3 : 1);
    int outChannels = color.equals("gray") ? 1 : channels;
    int pixels = (int) (shape.elements() / Math.max(1, shape.dim(0) * outChannels));
    float[] values = new float[channels];
    for (int n = 0; n < shape.dim(0); n++) {
      for (int p = 0; p < pixels; p++) {
        for (int c = 0; c < channels; c++) {
          int at = fromLast ? p * channels + c : c * pixels + p;
          values[c] = Resampler.get(image.type(), image.data(), n * channels * pixels + at);
        }
        recolor(values, color);
        for (int c = 0; c < outChannels; c++) {
          int at = toLast ? p * outChannels + c : c * pixels + p;
          Resampler.put(out.type(), out.data(), n * outChannels * pixels + at, values[c]);
        }
      }
    }
  }

  private static void recolor(float[] values, String color) {
    if (color.equals("swap")) {
      float first = values[0];
      values[0] = values[2];
      values[2] = first;
    } else if (color.equals("gray")) {
      float grey = GREY[0] * values[0] + GREY[1] * values[1] + GREY[2] * values[2];
      Arrays.fill(values, grey);
    }
  }
}
