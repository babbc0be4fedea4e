package dev.conveyor.models.steps;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Normalization;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * {@code (x - mean) * scale}, per channel, of images that lie on the host or on a device.
 *
 * @param settings for messages
 * @param mean by channel, or one for all
 * @param scale likewise
 * @param last whether channels are the last dimension, else the second
 */
record NormalizeStep(StepSettings settings, List<Float> mean, List<Float> scale, boolean last)
    implements Step {

  static Step of(StepSettings settings) {
    return new NormalizeStep(
        settings,
        list(ConvertSteps.numbers(settings, "mean", 0)),
        list(ConvertSteps.numbers(settings, "scale", 1)),
        settings.word("layout", "NCHW", "NHWC").equals("NHWC"));
  }

  private static List<Float> list(float[] numbers) {
    List<Float> list = new ArrayList<>(numbers.length);
    for (float number : numbers) {
      list.add(number);
    }
    return List.copyOf(list);
  }

  @Override
  public List<String> inputs() {
    return List.of("image");
  }

  @Override
  public List<TensorSpec> outputs(List<TensorSpec> inputs) {
    Specs.requireImage(inputs.get(0));
    Shape shape = inputs.get(0).shape();
    long channels = shape.dim(last ? 3 : 1);
    ConvertSteps.requireChannels(settings, "mean", mean.size(), channels);
    ConvertSteps.requireChannels(settings, "scale", scale.size(), channels);
    return List.of(new TensorSpec("image", DataType.FP32, shape));
  }

  @Override
  public List<Tensor> run(List<Tensor> inputs, StepResources resources) {
    Tensor image = inputs.get(0);
    Shape shape = image.shape();
    int channels = (int) shape.dim(last ? 3 : 1);
    int plane = last ? 1 : (int) (shape.dim(2) * shape.dim(3));
    Normalization work =
        new Normalization(image.type(), shape.elements(), plane, channels, mean, scale);
    Tensor there = resources.tryWork(image, work, "image", DataType.FP32, shape);
    return List.of(there == null ? onHost(image, work, resources) : there);
  }

  private static Tensor onHost(Tensor image, Normalization work, StepResources resources) {
    Tensor result = resources.tensor("image", DataType.FP32, image.shape());
    ByteBuffer out = result.data();
    float[] means = perChannel(work.mean(), work.channels());
    float[] scales = perChannel(work.scale(), work.channels());
    for (int i = 0; i < out.limit() / 4; i++) {
      int c = i / work.plane() % work.channels();
      float value = Resampler.get(image.type(), image.data(), i);
      out.putFloat(4 * i, (value - means[c]) * scales[c]);
    }
    return result;
  }

  private static float[] perChannel(List<Float> numbers, int channels) {
    float[] all = new float[channels];
    for (int c = 0; c < channels; c++) {
      all[c] = numbers.get(c % numbers.size());
    }
    return all;
  }

  @Override
  public boolean worksOnDevice(String input) {
    return input.equals("image");
  }
}
