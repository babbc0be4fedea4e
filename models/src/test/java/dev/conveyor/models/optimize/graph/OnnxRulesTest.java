package dev.conveyor.models.optimize.graph;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.conveyor.models.onnx.proto.AttributeProto;
import dev.conveyor.models.onnx.proto.GraphProto;
import dev.conveyor.models.onnx.proto.ModelProto;
import dev.conveyor.models.onnx.proto.NodeProto;
import dev.conveyor.models.onnx.proto.OperatorSetIdProto;
import dev.conveyor.models.onnx.proto.TensorProto;
import dev.conveyor.models.optimize.TinyModels;
import dev.conveyor.models.optimize.sparsity.Pruning;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class OnnxRulesTest {

  private static List<String> broken(Consumer<ModelProto.Builder> change) {
    ModelProto.Builder model = TinyModels.classifier().model().toBuilder();
    change.accept(model);
    return OnnxRules.check(model.build());
  }

  private static NodeProto.Builder relu(String input, String output) {
    return NodeProto.newBuilder().setOpType("Relu").addInput(input).addOutput(output);
  }

  @Test
  void shouldFindNothingInAModelThatKeepsThem() {
    assertThat(broken(model -> {})).isEmpty();
  }

  @Test
  void shouldWantVersionsAndEveryDomainThatIsUsedOnce() {
    assertThat(broken(model -> model.clearIrVersion())).anyMatch(p -> p.startsWith("ir_version"));
    assertThat(broken(model -> model.clearOpsetImport())).anyMatch(p -> p.contains("at least one"));
    assertThat(
            broken(
                model ->
                    model.addOpsetImport(
                        OperatorSetIdProto.newBuilder().setDomain("ai.onnx").setVersion(13))))
        .containsExactly("opset_import: domain 'ai.onnx' is imported twice");
    assertThat(broken(model -> model.getGraphBuilder().getNodeBuilder(0).setDomain("mine")))
        .singleElement()
        .asString()
        .contains("domain 'mine' is not in opset_import");
  }

  @Test
  void shouldWantNamesDefinedOnceAndBeforeTheyAreRead() {
    assertThat(broken(model -> model.getGraphBuilder().addNode(relu("scores", "c1"))))
        .singleElement()
        .asString()
        .contains("'c1' is defined again");
    assertThat(broken(model -> model.getGraphBuilder().addNode(0, relu("c1", "early"))))
        .singleElement()
        .asString()
        .contains("'c1' is not defined before it is read");
    assertThat(broken(model -> model.getGraphBuilder().addNode(relu("", "free")))).isEmpty();
    assertThat(broken(model -> model.getGraphBuilder().getOutputBuilder(0).setName("lost")))
        .containsExactly("output 'lost' is computed by no node");
    assertThat(broken(model -> model.getGraphBuilder().addNode(relu("c1", "w1"))))
        .singleElement()
        .asString()
        .contains("'w1' is defined again");
  }

  @Test
  void shouldWantInputsAndOutputsTyped() {
    assertThat(broken(model -> model.getGraphBuilder().getInputBuilder(0).clearType()))
        .containsExactly("input 'image': expected a type, found none");
    assertThat(broken(model -> model.getGraphBuilder().getOutputBuilder(0).clearType()))
        .containsExactly("output 'scores': expected a type, found none");
    assertThat(broken(model -> model.getGraphBuilder().clearName()))
        .containsExactly("graph.name: expected a name, found none");
  }

  @Test
  void shouldWantWeightsToHoldWhatTheirShapeSays() {
    assertThat(weight(tensor(2).setRawData(ByteString.copyFrom(new byte[8])))).isEmpty();
    assertThat(weight(tensor(2).setRawData(ByteString.copyFrom(new byte[7]))))
        .containsExactly("initializer 'x': expected 8 bytes by its shape, found 7");
    assertThat(weight(tensor(2).addFloatData(1)))
        .containsExactly("initializer 'x': expected 2 floats by its shape, found 1");
    assertThat(weight(tensor(-1))).containsExactly("initializer 'x': dimension -1");
    assertThat(weight(tensor(0).clearDataType()))
        .containsExactly("initializer 'x': expected a data type, found none");
    assertThat(
            broken(
                model ->
                    model
                        .getGraphBuilder()
                        .addInitializer(model.getGraphBuilder().getInitializer(0))))
        .containsExactly("initializer 'w1' is there twice");
    assertThat(broken(model -> model.setIrVersion(3)))
        .anyMatch(p -> p.contains("'w1' has to be an input too"));
  }

  private static TensorProto.Builder tensor(long dim) {
    return TensorProto.newBuilder().setName("x").setDataType(1).addDims(dim);
  }

  private static List<String> weight(TensorProto.Builder weight) {
    return broken(model -> model.getGraphBuilder().addInitializer(weight));
  }

  @Test
  void shouldWantAttributesToHoldTheTypeThatTheySay() {
    AttributeProto.Builder wrong =
        AttributeProto.newBuilder()
            .setName("alpha")
            .setType(AttributeProto.AttributeType.FLOAT)
            .addInts(3);
    assertThat(broken(m -> m.getGraphBuilder().addNode(relu("c1", "y").addAttribute(wrong))))
        .singleElement()
        .asString()
        .contains("attribute 'alpha' does not hold the FLOAT that it says");
    AttributeProto.Builder right = wrong.clone().clearInts().setF(1);
    assertThat(
            broken(
                m ->
                    m.getGraphBuilder()
                        .addNode(relu("c1", "y").addAttribute(right).addAttribute(right))))
        .singleElement()
        .asString()
        .contains("that of another");
  }

  @Test
  void shouldLookIntoGraphsOfNodesWhichSeeTheNamesAroundThem() {
    assertThat(branch("c1")).isEmpty();
    assertThat(branch("late")).singleElement().asString().contains("'late' is not defined");
  }

  private static List<String> branch(String reads) {
    GraphProto.Builder inner =
        GraphProto.newBuilder().setName("then").addNode(relu(reads, "inner"));
    inner.addOutputBuilder().setName("inner");
    AttributeProto.Builder graph =
        AttributeProto.newBuilder()
            .setName("then_branch")
            .setType(AttributeProto.AttributeType.GRAPH)
            .setG(inner);
    return broken(
        m ->
            m.getGraphBuilder()
                .addNode(
                    NodeProto.newBuilder()
                        .setOpType("If")
                        .addInput("c1")
                        .addOutput("chosen")
                        .addAttribute(graph)));
  }

  @Test
  void shouldHoldForWhatIsMadeOfEveryModelThatComesAlong() throws IOException {
    Path models = Path.of("..", "conf", "models");
    try (Stream<Path> files = Files.walk(models)) {
      List<Path> found = files.filter(f -> f.toString().endsWith(".onnx")).toList();
      assertThat(found).isNotEmpty();
      for (Path file : found) {
        Graph prepared = Preparation.prepare(OnnxFile.read(file)).graph();
        assertThat(OnnxRules.check(prepared.toModel())).as(file.toString()).isEmpty();
        ModelProto pruned = Pruning.twoOfFour(prepared, Set.of()).graph().toModel();
        assertThat(OnnxRules.check(pruned)).as(file.toString()).isEmpty();
      }
    }
  }
}
