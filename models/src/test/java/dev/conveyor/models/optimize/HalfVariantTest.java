package dev.conveyor.models.optimize;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.Shape;
import dev.conveyor.models.optimize.data.DataSet;
import dev.conveyor.models.optimize.data.Sample;
import dev.conveyor.models.optimize.data.Truth;
import dev.conveyor.models.optimize.graph.OnnxFile;
import dev.conveyor.models.optimize.graph.Weights;
import dev.conveyor.models.optimize.quantize.Target;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class HalfVariantTest {

  private static final float OFFSET = 1000;

  @TempDir private Path dir;

  /** Differences of numbers around 1000: of factors that FP16 rounds apart, little is left. */
  private static TinyModels differences(int outputs) {
    float[] pairs = new float[16];
    for (int i = 0; i < 4; i++) {
      pairs[i * 4 + i] = 1.0004f; // becomes 1
      pairs[(i + 1) % 4 * 4 + i] = -1.0006f; // becomes -1.00098
    }
    return TinyModels.opset(13)
        .input("x", -1, 4)
        .output("y", -1, outputs)
        .weight("pairs", Weights.ofFloats(new long[] {4, 4}, pairs))
        .weight("mixed", 0.1, 4, outputs)
        .node("MatMul", "x,pairs", "hidden")
        .node("MatMul", "hidden,mixed", "y");
  }

  private static DataSet around(float offset) {
    return new DataSet() {
      @Override
      public int size() {
        return 24;
      }

      @Override
      public Sample sample(int index) {
        Random random = new Random(index);
        float[] values = new float[4];
        for (int i = 0; i < values.length; i++) {
          values[i] = offset + (float) random.nextGaussian();
        }
        return new Sample(
            "item " + index, List.of(Weights.tensor("x", Shape.of(1, 4), values)), Truth.NONE);
      }
    };
  }

  private VariantReport fp16(TinyModels model, DataSet data, double maxDifference) {
    OptimizeOptions options =
        new OptimizeOptions(
            List.of(VariantKind.parse("fp16")),
            Target.CPU,
            Optional.empty(),
            8,
            100,
            maxDifference,
            0.5,
            1,
            Set.of(),
            1,
            List.of(1),
            Duration.ofMillis(5));
    Path file = dir.resolve("model.onnx");
    OnnxFile.write(file, model.model());
    ModelSource source =
        new ModelSource(file, model.model().toByteArray(), Optional.empty(), true, data);
    return new Optimizer(options, Progress.NONE).optimize(source).variants().get(0);
  }

  @Test
  void shouldLeaveTheLayerInFloatWhoseRoundingMovesTheAnswers() {
    VariantReport report = fp16(differences(8000), around(OFFSET), 0.01);

    assertThat(report.notes()).anyMatch(n -> n.contains("hidden_node left in float"));
    assertThat(report.scores().agreement().worstRelativeError()).isLessThan(0.005);
    assertThat(report.sizeRatio()).isLessThan(0.51);
    assertThat(report.passes()).isTrue();
  }

  @Test
  void shouldLeaveNothingInFloatWhereAnswersAreNearAnyway() {
    VariantReport report = fp16(differences(8000), around(0), 0.01);

    assertThat(report.notes()).noneMatch(n -> n.contains("left in float"));
    assertThat(report.scores().agreement().worstRelativeError()).isGreaterThan(0).isLessThan(0.005);
    assertThat(report.passes()).isTrue();
  }

  @Test
  void shouldSayByHowMuchAnswersDifferWhereTheLayerHoldsTooManyWeights() {
    VariantReport report = fp16(differences(40), around(OFFSET), 0.01);

    assertThat(report.notes()).noneMatch(n -> n.contains("left in float"));
    assertThat(report.failures())
        .singleElement()
        .asString()
        .startsWith("an output differs by")
        .endsWith("of the largest, at most 0.0100 is allowed");
    assertThat(fp16(differences(40), around(OFFSET), 100).passes()).isTrue();
  }
}
