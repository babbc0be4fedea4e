package dev.conveyor.models.config;

import static dev.conveyor.models.config.Keys.under;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.TensorSpec;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;

/** Checks that the images which preprocessing makes are what the model takes. Stateless. */
final class PreprocessingRules {

  private PreprocessingRules() {}

  /** Returns the inputs, with the shapes that preprocessing gives them. */
  static List<TensorSpec> fixSizes(
      List<Preprocessing> blocks, List<TensorSpec> inputs, boolean batches) {
    List<TensorSpec> fixed = new ArrayList<>(inputs);
    Set<String> seen = new HashSet<>();
    for (int i = 0; i < blocks.size(); i++) {
      Preprocessing block = blocks.get(i);
      under(
          ModelConfig.EXTENSIONS_KEY + ".preprocessing[" + i + "]",
          () -> {
            if (!seen.add(block.input())) {
              throw new ConfigException(
                  "input", "\"" + block.input() + "\" has preprocessing already");
            }
            int index = indexOf(inputs, block.input());
            return fixed.set(index, fix(block, inputs.get(index), batches));
          });
    }
    return fixed;
  }

  /** Preprocessing gives a tensor the shape that the model takes; clients send images. */
  static void refuseReshape(ModelConfig config) {
    for (int i = 0; i < config.inputs().size(); i++) {
      TensorConfig input = config.inputs().get(i);
      boolean images =
          config.extensions().preprocessing().stream()
              .anyMatch(block -> block.input().equals(input.name()));
      if (images && input.reshape().isPresent()) {
        throw new ConfigException(
            "input[" + i + "].reshape",
            "none beside " + ModelConfig.EXTENSIONS_KEY + ".preprocessing of the same input",
            input.reshape().get());
      }
    }
  }

  private static int indexOf(List<TensorSpec> inputs, String name) {
    List<String> names = inputs.stream().map(TensorSpec::name).toList();
    int index = names.indexOf(name);
    if (index < 0) {
      throw new ConfigException(
          "input", "an input of the model, which has " + names, "\"" + name + "\"");
    }
    return index;
  }

  private static TensorSpec fix(Preprocessing block, TensorSpec input, boolean batches) {
    if (block.dataType() != input.type()) {
      throw new ConfigException(
          "data_type",
          input.type().configName() + ", the type of \"" + input.name() + "\" in the model",
          block.dataType().configName());
    }
    // A model that does not batch may still have a first dimension, for its one image.
    boolean leading = batches || input.shape().rank() == 4;
    Shape image = leading ? input.shape().withoutFirst() : input.shape();
    boolean onlyOne = batches || !leading || Math.abs(input.shape().dim(0)) == 1;
    if (image.rank() != 3 || !onlyOne) {
      throw new ConfigException(
          "input",
          "an input for one image, " + block.layout() + " with or without N",
          "\"" + input.name() + "\" of shape " + input.shape());
    }
    boolean channelsFirst = block.layout() == Preprocessing.Layout.NCHW;
    requireDim(block, "color", input, image.dim(channelsFirst ? 0 : 2), block.color().channels());
    for (Preprocessing.Size size : block.allSizes()) {
      requireDim(block, "height", input, image.dim(channelsFirst ? 1 : 0), size.height());
      requireDim(block, "width", input, image.dim(channelsFirst ? 2 : 1), size.width());
    }
    long height = common(block.allSizes().stream().mapToInt(Preprocessing.Size::height));
    long width = common(block.allSizes().stream().mapToInt(Preprocessing.Size::width));
    Shape fixed =
        channelsFirst
            ? Shape.of(block.color().channels(), height, width)
            : Shape.of(height, width, block.color().channels());
    Shape full = batches ? fixed.withBatch(Shape.DYNAMIC) : leading ? fixed.withBatch(1) : fixed;
    return new TensorSpec(input.name(), input.type(), full);
  }

  private static long common(IntStream sides) {
    int[] different = sides.distinct().toArray();
    return different.length == 1 ? different[0] : Shape.DYNAMIC;
  }

  /** Checks that outputs which are to be brought to the image's coordinates are boxes. */
  static void requireBoxes(List<Preprocessing> blocks, List<TensorSpec> outputs) {
    for (int i = 0; i < blocks.size(); i++) {
      List<Preprocessing.Boxes> boxes = blocks.get(i).boxes();
      for (int b = 0; b < boxes.size(); b++) {
        String name = boxes.get(b).output();
        String key =
            "%s.preprocessing[%d].boxes[%d].output".formatted(ModelConfig.EXTENSIONS_KEY, i, b);
        TensorSpec output =
            outputs.stream()
                .filter(o -> o.name().equals(name))
                .findFirst()
                .orElseThrow(
                    () ->
                        new ConfigException(
                            key,
                            "an output of the model, which has "
                                + outputs.stream().map(TensorSpec::name).toList(),
                            "\"" + name + "\""));
        Shape shape = output.shape();
        if (output.type() != DataType.FP32
            || shape.rank() < 2
            || (shape.dim(shape.rank() - 1) != 4 && shape.dim(shape.rank() - 1) != Shape.DYNAMIC)) {
          throw new ConfigException(
              key, "an output FP32 [..., 4]", "\"" + name + "\" " + output.type() + shape);
        }
      }
    }
  }

  private static void requireDim(
      Preprocessing block, String key, TensorSpec input, long dim, int made) {
    if (dim != Shape.DYNAMIC && dim != made) {
      String what = key.equals("color") ? "channels" : key;
      throw new ConfigException(
          key,
          what
              + " "
              + dim
              + ", as \""
              + input.name()
              + "\" has the shape "
              + input.shape()
              + " read as "
              + block.layout(),
          what + " " + made + (key.equals("color") ? " for " + block.color() : ""));
    }
  }
}
