package dev.conveyor.models.optimize.quantize;

import static dev.conveyor.models.optimize.TinyModels.data;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.models.Shape;
import dev.conveyor.models.onnx.proto.TensorProto;
import dev.conveyor.models.optimize.OptimizeException;
import dev.conveyor.models.optimize.Progress;
import dev.conveyor.models.optimize.TinyModels;
import dev.conveyor.models.optimize.data.DataSet;
import dev.conveyor.models.optimize.data.Sample;
import dev.conveyor.models.optimize.data.Truth;
import dev.conveyor.models.optimize.evaluate.Agreement;
import dev.conveyor.models.optimize.graph.Graph;
import dev.conveyor.models.optimize.graph.Node;
import dev.conveyor.models.optimize.graph.Weights;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class Int8QuantizerTest {

  private static final Int8Quantizer.Options CPU = new Int8Quantizer.Options(Target.CPU, 127);

  private final DataSet items = data("image", 16, 1, 4, 8, 8);
  private final Graph graph = TinyModels.classifier().graph();

  @TempDir private Path dir;

  @Test
  void shouldWriteWhatOnnxRuntimeFusesToIntegerKernels() {
    Graph quantised = quantise(Target.CPU, Set.of());

    assertThat(TinyModels.optimised(quantised.toModel(), dir.resolve("fused.onnx")))
        .contains("QLinearConv", "QLinearAdd", "QLinearGlobalAveragePool", "QGemm")
        .doesNotContain("Conv", "Add", "Relu", "Gemm", "FusedConv");
    assertThat(agreement(quantised).sqnrDb()).isGreaterThan(30);
  }

  @Test
  void shouldKeepActivationsUnsignedAndWeightsSignedPerChannelForCpus() {
    Graph quantised = quantise(Target.CPU, Set.of());

    assertThat(weight(quantised, "w2_q").getDataType())
        .isEqualTo(TensorProto.DataType.INT8.getNumber());
    assertThat(weight(quantised, "w2_scale").getDimsList()).containsExactly(8L);
    assertThat(weight(quantised, "b2_q").getDataType())
        .isEqualTo(TensorProto.DataType.INT32.getNumber());
    TensorProto zero = weight(quantised, "r1_zero_point");
    assertThat(zero.getDataType()).isEqualTo(TensorProto.DataType.UINT8.getNumber());
    assertThat(zero.getRawData().byteAt(0)).as("what a ReLU gives starts at zero").isZero();
  }

  @Test
  void shouldBeSymmetricAndLeaveBiasesFloatForTensorRt() {
    Graph quantised = quantise(Target.TENSORRT, Set.of());

    for (String name : quantised.weights().keySet()) {
      if (name.endsWith("_zero_point")) {
        TensorProto zero = weight(quantised, name);
        assertThat(zero.getDataType()).isEqualTo(TensorProto.DataType.INT8.getNumber());
        assertThat(zero.getRawData().byteAt(0)).isZero();
      }
    }
    assertThat(quantised.weights()).containsKeys("b1", "b2", "b3");
    assertThat(quantised.nodes().stream().filter(n -> n.is("Relu"))).hasSize(2);
    assertThat(agreement(quantised).sqnrDb()).isGreaterThan(25);
  }

  @Test
  void shouldLeaveExcludedLayersInFloatAndListThem() {
    QuantizationPlan plan = QuantizationPlan.of(graph, Set.of("c2_node"));

    assertThat(plan.layers().stream().map(Node::name)).containsExactly("c1_node", "g_node");
    assertThat(plan.floatOperators()).containsEntry("Conv", 1).containsEntry("Softmax", 1);
    Graph quantised = quantise(Target.CPU, Set.of("c2_node"));
    assertThat(TinyModels.optimised(quantised.toModel(), dir.resolve("fused.onnx")))
        .contains("QLinearConv");
    assertThat(quantised.weights()).containsKey("w2").doesNotContainKey("w1");
    assertThat(agreement(quantised).sqnrDb()).isGreaterThan(30);
  }

  @Test
  void shouldCoarsenAChannelWhoseBiasWouldNotFit() {
    TensorProto weight = Weights.ofFloats(new long[] {2, 1}, 1e-12f, 1f);

    QuantizedWeights quantised = QuantizedWeights.of(weight, 0, 127, new float[] {1f, 1f}, 1e-3f);

    for (float scale : quantised.scales()) {
      assertThat(1f / ((double) scale * 1e-3f)).isLessThan(Integer.MAX_VALUE);
    }
    assertThat(quantised.values()[1]).isEqualTo((byte) 127);
  }

  @Test
  void shouldGiveOperandsOfAConcatenationTheScaleOfItsResultUnlessTheyGoElsewhereToo() {
    TinyModels fire =
        branches()
            .node("Conv", "image,w2", "c2")
            .node("Relu", "c2", "r2")
            .node("Concat", "r1,r2", "both", TinyModels.integer("axis", 1))
            .node("Conv", "both,w3", "y");

    Graph quantised = quantise(fire.graph(), Target.CPU, Set.of());

    assertThat(scale(quantised, "r1")).isEqualTo(scale(quantised, "both"));
    assertThat(scale(quantised, "r2")).isEqualTo(scale(quantised, "both"));
    assertThat(Sensitivity.agreement(fire.graph(), quantised, items).sqnrDb()).isGreaterThan(30);

    Graph shared = quantise(fire.output("r1", -1, 8, 8, 8).graph(), Target.CPU, Set.of());
    assertThat(scale(shared, "r1")).isNotEqualTo(scale(shared, "both"));
  }

  /** The weights of two branches, and the first of them. */
  private static TinyModels branches() {
    return TinyModels.opset(13)
        .input("image", -1, 4, 8, 8)
        .output("y", -1, 4, 8, 8)
        .weight("w1", 0.2, 8, 4, 1, 1)
        .weight("w2", 0.6, 8, 4, 1, 1)
        .weight("w3", 0.1, 4, 16, 1, 1)
        .node("Conv", "image,w1", "c1")
        .node("Relu", "c1", "r1");
  }

  private static float scale(Graph graph, String value) {
    return Weights.floats(weight(graph, value + "_scale"))[0];
  }

  @Test
  void shouldNotGiveWhatAReluCutOffAScaleThatGoesBelowZero() {
    Graph mixed =
        branches()
            .node("Conv", "image,w2", "c2")
            .node("Concat", "r1,c2", "both", TinyModels.integer("axis", 1))
            .node("Conv", "both,w3", "y")
            .graph();

    Graph quantised = quantise(mixed, Target.CPU, Set.of());

    assertThat(weight(quantised, "r1_zero_point").getRawData().byteAt(0)).isZero();
    assertThat(weight(quantised, "c2_zero_point").getRawData().byteAt(0)).isNotZero();
    assertThat(Sensitivity.agreement(mixed, quantised, items).sqnrDb()).isGreaterThan(30);
  }

  @Test
  void shouldNameTheLayerThatCostsMost() {
    QuantizationPlan plan = QuantizationPlan.of(graph, Set.of());
    Map<String, Range> ranges = new HashMap<>(observe(plan).ranges(Calibration.MINMAX));
    // A range far too wide leaves its layer hardly any levels.
    ranges.put("f", new Range(-4000, 4000));

    List<Sensitivity.Layer> layers = Sensitivity.measure(plan, ranges, CPU, items, Progress.NONE);

    assertThat(layers).hasSize(3);
    assertThat(layers.get(0).name()).isEqualTo("g_node");
    assertThat(layers.get(0).sqnrDb()).isLessThan(layers.get(1).sqnrDb());
  }

  @Test
  void shouldRefuseToCalibrateWithNaN() {
    DataSet poisoned =
        new DataSet() {
          @Override
          public int size() {
            return 2;
          }

          @Override
          public Sample sample(int index) {
            float[] values = new float[4 * 8 * 8];
            values[7] = index == 1 ? Float.NaN : 0;
            return new Sample(
                "photo " + index,
                List.of(Weights.tensor("image", Shape.of(1, 4, 8, 8), values)),
                Truth.NONE);
          }
        };

    assertThatThrownBy(
            () -> Observations.of(graph, List.of("image", "r1"), poisoned, 1, Progress.NONE))
        .isInstanceOf(OptimizeException.class)
        .hasMessageContaining("photo 1")
        .hasMessageContaining("not a finite number");
  }

  @Test
  void shouldReportProgressToTheEnd() {
    List<Integer> done = new ArrayList<>();
    Observations.of(graph, List.of("r1"), items, 1, (step, now, total) -> done.add(total - now));

    assertThat(done).hasSize(32).endsWith(0);
  }

  @Test
  void shouldQuantiseProductsWithoutCalibration() {
    for (boolean dynamic : new boolean[] {true, false}) {
      ProductQuantizer.Result result =
          ProductQuantizer.quantize(graph, dynamic, 127, new HashSet<>());

      assertThat(result.products()).isEqualTo(1);
      assertThat(result.graph().weights()).doesNotContainKey("w3");
      assertThat(agreement(result.graph()).sqnrDb()).isGreaterThan(35);
    }
  }

  private Graph quantise(Target target, Set<String> excluded) {
    return quantise(graph, target, excluded);
  }

  private Graph quantise(Graph model, Target target, Set<String> excluded) {
    QuantizationPlan plan = QuantizationPlan.of(model, excluded);
    return Int8Quantizer.quantize(
        plan, observe(plan).ranges(Calibration.MINMAX), new Int8Quantizer.Options(target, 127));
  }

  private Observations observe(QuantizationPlan plan) {
    return Observations.of(plan.graph(), plan.values(), items, 1, Progress.NONE);
  }

  private Agreement agreement(Graph candidate) {
    return Sensitivity.agreement(graph, candidate, items);
  }

  private static TensorProto weight(Graph graph, String name) {
    assertThat(graph.weights()).containsKey(name);
    return graph.weights().get(name);
  }

  @Test
  void shouldKeepInputsAndOutputsAsTheyWere() {
    Graph quantised = quantise(Target.CPU, Set.of());
    assertThat(quantised.inputs()).isEqualTo(graph.inputs());
    assertThat(quantised.outputs()).isEqualTo(graph.outputs());
  }
}
