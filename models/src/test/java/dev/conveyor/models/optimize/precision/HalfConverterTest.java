package dev.conveyor.models.optimize.precision;

import static dev.conveyor.models.optimize.TinyModels.data;
import static dev.conveyor.models.optimize.TinyModels.ints;
import static dev.conveyor.models.optimize.TinyModels.item;
import static dev.conveyor.models.optimize.TinyModels.run;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.conveyor.models.DataType;
import dev.conveyor.models.onnx.OnnxSession;
import dev.conveyor.models.onnx.proto.TensorProto;
import dev.conveyor.models.optimize.TinyModels;
import dev.conveyor.models.optimize.graph.Graph;
import dev.conveyor.models.optimize.graph.Weights;
import dev.conveyor.models.optimize.quantize.Sensitivity;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

final class HalfConverterTest {

  private final Graph graph = TinyModels.classifier().graph();

  @Test
  void shouldConvertWeightsAndCastOnlyAtTheBorders() {
    HalfConverter.Result result = convert(Set.of(), false, Map.of());

    assertThat(result.keptInFloat()).isEmpty();
    assertThat(result.graph().weights().values())
        .allMatch(w -> w.getDataType() == TensorProto.DataType.FLOAT16.getNumber());
    assertThat(result.graph().nodes().stream().filter(n -> n.is("Cast"))).hasSize(2);
    var items = data("image", 4, 1, 4, 8, 8);
    assertThat(Sensitivity.agreement(graph, result.graph(), items).worstRelativeError())
        .isLessThan(1e-2);
  }

  @Test
  void shouldConvertInputsAndOutputsWhenAskedTo() {
    HalfConverter.Result result = convert(Set.of(), true, Map.of());

    try (OnnxSession session =
        new OnnxSession(
            "half", result.graph().toModel().toByteArray(), OnnxSession.Options.threads(1))) {
      assertThat(session.inputs().get(0).type()).isEqualTo(DataType.FP16);
      assertThat(session.outputs().get(0).type()).isEqualTo(DataType.FP16);
    }
    assertThat(result.graph().nodes().stream().filter(n -> n.is("Cast"))).isEmpty();
  }

  @Test
  void shouldKeepInFloatWhatIsAskedForAndWhatWouldOverflow() {
    HalfConverter.Result result = convert(Set.of("Softmax"), false, Map.of("a2", 70_000f));

    assertThat(result.keptInFloat())
        .anyMatch(k -> k.contains("Softmax") && k.contains("named"))
        .anyMatch(k -> k.contains("Add") && k.contains("'a2' reaches 70000"))
        .anyMatch(k -> k.contains("Relu 'r2_node'"));
    assertThat(run(result.graph().toModel(), item("image", 1, 1, 4, 8, 8)))
        .containsExactly(run(graph.toModel(), item("image", 1, 1, 4, 8, 8)), within(5e-3f));
  }

  @Test
  void shouldKeepScalesOfAResizeInFloat() {
    Graph resize =
        TinyModels.opset(13)
            .input("x", -1, 2, 3, 3)
            .output("y", -1, 2, 6, 6)
            .weight("w", 0.5, 2, 2, 1, 1)
            .weight("scales", Weights.ofFloats(new long[] {4}, 1, 1, 2, 2))
            .node("Conv", "x,w", "c", ints("pads", 0, 0, 0, 0))
            .node("Resize", "c,,scales", "y")
            .graph();

    HalfConverter.Result result =
        HalfConverter.convert(resize, new HalfConverter.Options(Set.of(), false, Map.of()));

    assertThat(run(result.graph().toModel(), item("x", 1, 1, 2, 3, 3)))
        .containsExactly(run(resize.toModel(), item("x", 1, 1, 2, 3, 3)), within(5e-3f));
  }

  @Test
  void shouldStoreWeightsAsBrainFloatsThatRunEverywhere() {
    Graph brain = BrainWeights.convert(graph, Set.of());

    assertThat(brain.weights().get("w1_bf16").getDataType())
        .isEqualTo(TensorProto.DataType.BFLOAT16.getNumber());
    assertThat(run(brain.toModel(), item("image", 1, 1, 4, 8, 8)))
        .containsExactly(run(graph.toModel(), item("image", 1, 1, 4, 8, 8)), within(2e-2f));
  }

  @Test
  void shouldRoundHalvesToNearestAndTiesToEven() {
    assertThat(Float16.fromHalf(Float16.toHalf(65504f))).isEqualTo(65504f);
    assertThat(Float16.fromHalf(Float16.toHalf(65519f))).isEqualTo(65504f);
    assertThat(Float16.fromHalf(Float16.toHalf(65520f))).isInfinite();
    assertThat(Float16.toHalf(2049f)).as("between 2048 and 2050").isEqualTo((short) 0x6800);
    assertThat(Float16.fromHalf(Float16.toHalf(-0x1p-24f))).isEqualTo(-0x1p-24f);
    assertThat(Float16.fromHalf(Float16.toHalf(0x1p-26f))).isZero();
    assertThat(Float16.fromHalf(Float16.toHalf(Float.NaN))).isNaN();
    for (int bits = 0; bits < 0x7c00; bits++) {
      assertThat(Float16.toHalf(Float16.fromHalf((short) bits))).isEqualTo((short) bits);
    }
    assertThat(Float16.fromBfloat16(Float16.toBfloat16(0x1.01p0f))).isEqualTo(1f);
    assertThat(Float16.fromBfloat16(Float16.toBfloat16(3e38f))).isFinite();
  }

  private HalfConverter.Result convert(Set<String> keep, boolean io, Map<String, Float> largest) {
    return HalfConverter.convert(graph, new HalfConverter.Options(keep, io, largest));
  }
}
