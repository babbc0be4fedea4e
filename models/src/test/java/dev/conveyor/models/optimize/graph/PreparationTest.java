package dev.conveyor.models.optimize.graph;

import static dev.conveyor.models.optimize.TinyModels.integer;
import static dev.conveyor.models.optimize.TinyModels.ints;
import static dev.conveyor.models.optimize.TinyModels.item;
import static dev.conveyor.models.optimize.TinyModels.run;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.conveyor.models.Tensor;
import dev.conveyor.models.onnx.proto.ModelProto;
import dev.conveyor.models.optimize.OptimizeException;
import dev.conveyor.models.optimize.TinyModels;
import java.util.List;
import org.junit.jupiter.api.Test;

final class PreparationTest {

  @Test
  void shouldFoldBatchNormalisationIntoTheConvolutionBeforeIt() {
    ModelProto model =
        TinyModels.opset(13)
            .input("x", -1, 2, 4, 4)
            .output("y", -1, 3, 4, 4)
            .weight("w", 0.5, 3, 2, 3, 3)
            .weight("gamma", 0.5, 3)
            .weight("beta", 0.5, 3)
            .weight("mean", 0.5, 3)
            .weight("variance", Weights.ofFloats(new long[] {3}, 0.5f, 2f, 1f))
            .node("Conv", "x,w", "c", ints("pads", 1, 1, 1, 1))
            .node("BatchNormalization", "c,gamma,beta,mean,variance", "y")
            .model();

    Preparation.Prepared prepared = Preparation.prepare(model);

    assertThat(types(prepared)).containsExactly("Conv");
    assertThat(prepared.notes()).contains("1 batch normalisations folded");
    assertSame(model, prepared, item("x", 1, 1, 2, 4, 4));
  }

  @Test
  void shouldComputeWhatDoesNotDependOnTheInputs() {
    ModelProto model =
        TinyModels.opset(13)
            .input("x", -1, 4)
            .output("y", -1, 4)
            .weight("a", 1, 4)
            .weight("b", 1, 4)
            .node("Mul", "a,b", "ab")
            .node("Sqrt", "b", "dead")
            .node("Identity", "x", "same")
            .node("Add", "same,ab", "y")
            .model();

    Preparation.Prepared prepared = Preparation.prepare(model);

    assertThat(types(prepared)).containsExactly("Add");
    assertThat(prepared.graph().weights()).containsOnlyKeys("ab");
    assertSame(model, prepared, item("x", 1, 1, 4));
  }

  @Test
  void shouldRaiseOperatorsWhoseAttributesBecameInputs() {
    ModelProto model =
        TinyModels.opset(9)
            .input("x", -1, 2, 3, 4)
            .output("y", -1, 2, 3, 4)
            .node("Unsqueeze", "x", "u", ints("axes", 0))
            .node("Squeeze", "u", "s", ints("axes", 0))
            .node("Slice", "s", "t", ints("starts", 0), ints("ends", 9), ints("axes", 2))
            .node("Softmax", "t", "y", integer("axis", 1))
            .model();

    Preparation.Prepared prepared = Preparation.prepare(model);

    assertThat(prepared.graph().opset()).isEqualTo(13);
    assertThat(prepared.notes()).contains("opset raised from 9 to 13");
    assertSame(model, prepared, item("x", 5, 1, 2, 3, 4));
  }

  @Test
  void shouldUpsampleAsBeforeWhenRaised() {
    ModelProto model =
        TinyModels.opset(9)
            .input("x", 1, 1, 2, 3)
            .output("y", 1, 1, 4, 6)
            .weight("scales", Weights.ofFloats(new long[] {4}, 1, 1, 2, 2))
            .node("Upsample", "x,scales", "y")
            .model();

    Preparation.Prepared prepared = Preparation.prepare(model);

    assertThat(types(prepared)).containsExactly("Resize");
    assertSame(model, prepared, item("x", 5, 1, 1, 2, 3));
  }

  @Test
  void shouldMakeTheBatchDynamicAndGiveEveryItemItsOwnAnswer() {
    ModelProto model =
        TinyModels.opset(13)
            .input("x", 1, 2, 6)
            .output("y", 1, 3, 4)
            .weight("shape", Weights.ofLongs(1, 3, 4))
            .node("Reshape", "x,shape", "r")
            .node("Relu", "r", "y")
            .model();

    Preparation.Prepared prepared = Preparation.prepare(model);

    assertThat(prepared.notes()).contains("batch axis made dynamic");
    assertThat(run(prepared.graph().toModel(), item("x", 1, 3, 2, 6))).hasSize(3 * 12);
  }

  @Test
  void shouldLeaveTheBatchFixedWhereItemsInfluenceEachOther() {
    ModelProto model =
        TinyModels.opset(13)
            .input("x", 1, 4)
            .output("y", 1, 4)
            .weight("axes", Weights.ofLongs(0))
            .node("ReduceSum", "x,axes", "s")
            .node("Add", "x,s", "y")
            .model();

    Preparation.Prepared prepared = Preparation.prepare(model);

    assertThat(prepared.notes())
        .contains("batch axis stays fixed: items of a batch influence each other");
    assertThat(prepared.graph().inputs().get(0).getType().getTensorType().getShape().getDim(0))
        .matches(dim -> dim.getDimValue() == 1);
  }

  @Test
  void shouldRefuseModelsThatAreTooOld() {
    ModelProto model =
        TinyModels.opset(6).input("x", 1, 4).output("y", 1, 4).node("Relu", "x", "y").model();

    assertThatThrownBy(() -> Preparation.prepare(model))
        .isInstanceOf(OptimizeException.class)
        .hasMessageContaining("opset 6")
        .hasMessageContaining("opset 13 is needed");
  }

  private static List<String> types(Preparation.Prepared prepared) {
    return prepared.graph().nodes().stream().map(Node::type).toList();
  }

  private static void assertSame(ModelProto model, Preparation.Prepared prepared, Tensor input) {
    assertThat(run(prepared.graph().toModel(), input))
        .containsExactly(run(model, input), within(1e-5f));
  }
}
