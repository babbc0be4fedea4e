package dev.conveyor.models.optimize.quantize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.conveyor.models.onnx.proto.TensorProto;
import dev.conveyor.models.optimize.Progress;
import dev.conveyor.models.optimize.TinyModels;
import dev.conveyor.models.optimize.data.DataSet;
import dev.conveyor.models.optimize.graph.Graph;
import dev.conveyor.models.optimize.graph.Weights;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** What is done for convolutions of few weights a channel. */
final class DepthwiseTest {

  private final DataSet items = TinyModels.data("image", 16, 1, 4, 8, 8);
  private final Graph graph = model().graph();

  /** A convolution one of whose channels is much louder, and a depthwise one that undoes that. */
  private static TinyModels model() {
    float[] weights = new float[16];
    float[] next = new float[36];
    for (int i = 0; i < weights.length; i++) {
      weights[i] = (i % 3 - 0.9f) * (i / 4 == 3 ? 1f : 0.02f);
    }
    for (int i = 0; i < next.length; i++) {
      next[i] = (i * 7 % 11 - 5.3f) * (i / 9 == 3 ? 0.02f : 1f);
    }
    return TinyModels.opset(13)
        .input("image", -1, 4, 8, 8)
        .output("y", -1, 4, 8, 8)
        .weight("w1", Weights.ofFloats(new long[] {4, 4, 1, 1}, weights))
        .weight("b1", Weights.ofFloats(new long[] {4}, 0.002f, 0.004f, 0.003f, 0.5f))
        .weight("w2", Weights.ofFloats(new long[] {4, 1, 3, 3}, next))
        .node("Conv", "image,w1,b1", "c1")
        .node("Relu", "c1", "r1")
        .node(
            "Conv",
            "r1,w2",
            "y",
            TinyModels.ints("pads", 1, 1, 1, 1),
            TinyModels.integer("group", 4));
  }

  private Observations observe(Graph model) {
    return Observations.of(
        model, QuantizationPlan.of(model, Set.of()).values(), items, 1, Progress.NONE);
  }

  private double sqnrDb(Graph model, boolean correct) {
    Observations seen = observe(model);
    Int8Quantizer.Options options = new Int8Quantizer.Options(Target.CPU, 127);
    Graph quantised =
        Int8Quantizer.quantize(
            QuantizationPlan.of(model, Set.of()),
            seen.ranges(Calibration.MINMAX),
            correct ? options.correcting(seen.channelMeans()) : options);
    return Sensitivity.agreement(graph, quantised, items).sqnrDb();
  }

  @Test
  void shouldEqualiseChannelsWithoutChangingWhatTheModelComputes() {
    Graph equal = graph.copy();

    assertThat(ChannelEqualization.values(equal)).containsExactly("r1");
    assertThat(ChannelEqualization.apply(equal, observe(graph))).isEqualTo(1);

    assertThat(Sensitivity.agreement(graph, equal, items).maxError()).isZero();
    float[] largest = observe(equal).channelLargest("r1");
    float[] before = observe(graph).channelLargest("r1");
    assertThat(largest[3]).isEqualTo(before[3]);
    for (int c = 0; c < 3; c++) {
      assertThat(largest[c] / before[c]).isIn(2f, 4f, 8f, 16f);
    }
  }

  @Test
  void shouldLeaveAChannelAloneThatIsReadOtherwiseToo() {
    Graph read = model().output("r1", -1, 4, 8, 8).graph();
    assertThat(ChannelEqualization.values(read)).isEmpty();
    assertThat(ChannelEqualization.values(TinyModels.classifier().graph())).isEmpty();
  }

  @Test
  void shouldTakeTheShiftOfRoundedWeightsOutOfTheBias() {
    TensorProto tensor = Weights.ofFloats(new long[] {2, 1, 1, 2}, 1f, 0.0031f, 1f, -0.0031f);
    QuantizedWeights rounded = QuantizedWeights.of(tensor, 0, 127, null, 1);

    float[] bias =
        BiasCorrection.corrected(
            Weights.floats(tensor), rounded, 2, new double[] {10, 100}, new float[] {1, 1});

    // The small weights round to 0: 0.0031 of the mean is lost, and given back.
    assertThat(bias[0]).isCloseTo(1.031f, within(1e-5f));
    assertThat(bias[1]).isCloseTo(0.69f, within(1e-5f));
  }

  @Test
  void shouldCorrectProductsOfEitherOrder() {
    float[] rows = {1f, 0.0031f, 1f, -0.0031f};
    float[] columns = {1f, 1f, 0.0031f, -0.0031f};
    TensorProto outputsFirst = Weights.ofFloats(new long[] {2, 2}, rows);
    TensorProto outputsLast = Weights.ofFloats(new long[] {2, 2}, columns);
    double[] means = {5, 10};

    float[] first =
        BiasCorrection.corrected(
            rows, QuantizedWeights.of(outputsFirst, 0, 127, null, 1), 1, means, null);
    float[] last =
        BiasCorrection.corrected(
            columns, QuantizedWeights.of(outputsLast, 1, 127, null, 1), 1, means, null);

    assertThat(first).containsExactly(last);
    assertThat(first[0]).isCloseTo(0.031f, within(1e-5f));
  }

  @Test
  void shouldLoseLessWithBoth() {
    Graph equal = graph.copy();
    ChannelEqualization.apply(equal, observe(graph));

    assertThat(sqnrDb(equal, false)).isGreaterThan(sqnrDb(graph, false) + 1);
    assertThat(sqnrDb(equal, true)).isGreaterThan(sqnrDb(equal, false));
  }
}
