package dev.conveyor.models.optimize.data;

import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.config.Preprocessing;
import dev.conveyor.models.image.ImagePreprocessor;
import dev.conveyor.models.optimize.OptimizeException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Images in a directory, through the preprocessing that the server applies too. */
final class ImageData implements DataSet {

  private static final long MAX_PIXELS = 50_000_000;

  private final List<Path> images;
  private final TensorSpec input;
  private final ImagePreprocessor preprocessor;
  private final TruthFile truth;

  private ImageData(
      List<Path> images, TensorSpec input, ImagePreprocessor preprocessor, TruthFile truth) {
    this.images = images;
    this.input = input;
    this.preprocessor = preprocessor;
    this.truth = truth;
  }

  static ImageData open(
      Path directory,
      List<Path> images,
      List<TensorSpec> inputs,
      List<Preprocessing> preprocessing,
      List<String> labels) {
    if (inputs.size() != 1) {
      throw new OptimizeException(
          "%s: images for a model with %d inputs; .npy files, one per input, are needed"
              .formatted(directory, inputs.size()));
    }
    TensorSpec input = inputs.get(0);
    Preprocessing block =
        preprocessing.stream()
            .filter(p -> p.input().equals(input.name()))
            .findFirst()
            .orElseThrow(
                () ->
                    new OptimizeException(
                        ("%s: images, but the model's configuration has no preprocessing block for"
                                + " input '%s'; add one, or give .npy files")
                            .formatted(directory, input.name())));
    ImagePreprocessor preprocessor = new ImagePreprocessor(block, MAX_PIXELS);
    Shape made = preprocessor.outputShape().withBatch(1);
    if (preprocessor.outputType() != input.type() || !input.shape().accepts(made)) {
      throw new OptimizeException(
          "the preprocessing block makes %s %s, input '%s' takes %s %s"
              .formatted(
                  preprocessor.outputType(), made, input.name(), input.type(), input.shape()));
    }
    return new ImageData(images, input, preprocessor, TruthFile.find(directory, labels));
  }

  @Override
  public int size() {
    return images.size();
  }

  @Override
  public Sample sample(int index) {
    Path file = images.get(index);
    try {
      ByteBuffer encoded = ByteBuffer.wrap(Files.readAllBytes(file));
      ByteBuffer pixels =
          ByteBuffer.allocate(preprocessor.outputBytesPerImage()).order(ByteOrder.LITTLE_ENDIAN);
      preprocessor.process(encoded, pixels, 0);
      Tensor tensor =
          Tensor.of(input.name(), input.type(), preprocessor.outputShape().withBatch(1), pixels);
      return new Sample(file.toString(), List.of(tensor), truth.of(file));
    } catch (InferenceException e) {
      throw new OptimizeException(file + ": " + e.getMessage(), e);
    } catch (IOException e) {
      throw new OptimizeException(file + ": cannot be read: " + e, e);
    }
  }
}
