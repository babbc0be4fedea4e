package dev.conveyor.verticles.cli.demo;

import dev.conveyor.models.DataType;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.config.ConfigException;
import dev.conveyor.models.steps.Step;
import dev.conveyor.models.steps.StepFactory;
import dev.conveyor.models.steps.StepResources;
import dev.conveyor.models.steps.StepSettings;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * The last step of the inspection line, {@code conveyor.inspection_verdict}: a step as users write
 * them. Stateless.
 *
 * <p>It decides from the whole picture and from the crops of what was found in it. A crop shows a
 * defect larger than the picture does, so it knows better what it is: of the classes of crops that
 * are not clean the one with the largest area counts, with the highest probability that a crop of
 * it has. Where no crop shows a defect, the whole picture decides.
 *
 * <p>Inputs, FP32: {@code whole} [1, classes] and {@code crops} [n, classes], probabilities; {@code
 * area} [n, 1], share of the picture. Outputs: {@code class} INT32, {@code confidence} FP32, {@code
 * reject} UINT8, each [1, 1]. Setting: {@code clean}, the class without a defect (0).
 */
public final class VerdictStep implements StepFactory {

  private static final int MAX_CLASSES = 10_000;

  @Override
  public String name() {
    return "inspection_verdict";
  }

  @Override
  public Step create(StepSettings settings) {
    return new Verdicts(settings.integer("clean", 0, MAX_CLASSES, 0));
  }

  private record Verdicts(int clean) implements Step {

    private static final Shape ONE = Shape.of(1, 1);

    @Override
    public List<String> inputs() {
      return List.of("whole", "crops", "area");
    }

    @Override
    public List<TensorSpec> outputs(List<TensorSpec> inputs) {
      for (int i = 0; i < inputs.size(); i++) {
        TensorSpec input = inputs.get(i);
        if (input.type() != DataType.FP32 || input.shape().rank() != 2) {
          throw new ConfigException(inputs().get(i), "FP32 of 2 dimensions", input);
        }
      }
      return List.of(
          new TensorSpec("class", DataType.INT32, ONE),
          new TensorSpec("confidence", DataType.FP32, ONE),
          new TensorSpec("reject", DataType.UINT8, ONE));
    }

    @Override
    public List<Tensor> run(List<Tensor> inputs, StepResources resources) {
      Tensor whole = inputs.get(0);
      Tensor crops = inputs.get(1);
      Tensor area = inputs.get(2);
      int classes = whole.sizeBytes() / Float.BYTES;
      int found = area.sizeBytes() / Float.BYTES;
      if (classes <= clean || crops.sizeBytes() != found * classes * Float.BYTES) {
        throw InferenceException.invalid(
            "%s, %s, %s are not the classes of a picture, those of its crops, and an area for each"
                .formatted(whole, crops, area));
      }
      float[] areas = new float[classes];
      float[] confidences = new float[classes];
      for (int crop = 0; crop < found; crop++) {
        int best = best(crops, crop, classes);
        areas[best] += area.data().getFloat(Float.BYTES * crop);
        confidences[best] =
            Math.max(
                confidences[best], crops.data().getFloat(Float.BYTES * (crop * classes + best)));
      }
      int verdict = clean;
      for (int c = 0; c < classes; c++) {
        if (c != clean && confidences[c] > 0 && (verdict == clean || areas[c] > areas[verdict])) {
          verdict = c;
        }
      }
      if (verdict == clean) {
        verdict = best(whole, 0, classes);
        confidences[verdict] = whole.data().getFloat(Float.BYTES * verdict);
      }
      Tensor label = resources.tensor("class", DataType.INT32, ONE);
      label.data().putInt(0, verdict);
      Tensor confidence = resources.tensor("confidence", DataType.FP32, ONE);
      confidence.data().putFloat(0, confidences[verdict]);
      Tensor reject = resources.tensor("reject", DataType.UINT8, ONE);
      reject.data().put(0, (byte) (verdict == clean ? 0 : 1));
      return List.of(label, confidence, reject);
    }

    /** Returns the most probable class of a row. */
    private static int best(Tensor probabilities, int row, int classes) {
      ByteBuffer data = probabilities.data();
      int first = row * classes;
      int best = 0;
      for (int c = 1; c < classes; c++) {
        if (data.getFloat(Float.BYTES * (first + c))
            > data.getFloat(Float.BYTES * (first + best))) {
          best = c;
        }
      }
      return best;
    }
  }
}
