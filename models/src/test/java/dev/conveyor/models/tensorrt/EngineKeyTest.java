package dev.conveyor.models.tensorrt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.models.onnx.proto.AttributeProto;
import dev.conveyor.models.onnx.proto.GraphProto;
import dev.conveyor.models.onnx.proto.ModelProto;
import dev.conveyor.models.onnx.proto.NodeProto;
import dev.conveyor.models.onnx.proto.StringStringEntryProto;
import dev.conveyor.models.onnx.proto.TensorProto;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class EngineKeyTest {

  private static final byte[] WEIGHTS = {1, 2, 3, 4, 5, 6, 7, 8};

  @TempDir private Path directory;

  private static TensorProto in(String location) {
    return TensorProto.newBuilder()
        .setName("W")
        .setDataLocation(TensorProto.DataLocation.EXTERNAL)
        .addExternalData(StringStringEntryProto.newBuilder().setKey("location").setValue(location))
        .addExternalData(StringStringEntryProto.newBuilder().setKey("offset").setValue("4"))
        .build();
  }

  private Path model(GraphProto graph) throws IOException {
    return Files.write(
        directory.resolve("model.onnx"),
        ModelProto.newBuilder().setGraph(graph).build().toByteArray());
  }

  private static GraphProto withWeightsIn(String location) {
    return GraphProto.newBuilder().addInitializer(in(location)).build();
  }

  /** In an attribute of a node of the body of another node. */
  private static GraphProto withConstantsIn(String location) {
    NodeProto constant =
        NodeProto.newBuilder()
            .addAttribute(AttributeProto.newBuilder().setName("value").setT(in(location)))
            .build();
    AttributeProto body =
        AttributeProto.newBuilder()
            .setName("then_branch")
            .setG(GraphProto.newBuilder().addNode(constant))
            .build();
    return GraphProto.newBuilder().addNode(NodeProto.newBuilder().addAttribute(body)).build();
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void shouldDifferWhenAByteOfTheWeightsInAnotherFileDoes(boolean inABranch) throws IOException {
    Path weights = Files.write(directory.resolve("model.bin"), WEIGHTS);
    Path model = model(inABranch ? withConstantsIn("model.bin") : withWeightsIn("model.bin"));
    String before = EngineKey.hash(model);
    assertThat(EngineKey.hash(model)).isEqualTo(before);

    byte[] changed = WEIGHTS.clone();
    changed[5] ^= 1;
    Files.write(weights, changed);

    assertThat(EngineKey.hash(model)).isNotEqualTo(before);
  }

  @Test
  void shouldBeTheSameWhenAFileThatTheModelDoesNotNameChanges() throws IOException {
    Files.write(directory.resolve("model.bin"), WEIGHTS);
    Path other = Files.write(directory.resolve("notes.txt"), WEIGHTS);
    Path model = model(withWeightsIn("model.bin"));
    String before = EngineKey.hash(model);

    Files.write(other, new byte[] {9});

    assertThat(EngineKey.hash(model)).isEqualTo(before);
  }

  @Test
  void shouldNotReadWeightsOutsideOfTheModelsDirectory() throws IOException {
    Path model = model(withWeightsIn("../model.bin"));

    assertThatThrownBy(() -> EngineKey.hash(model))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("'../model.bin', outside of the model's directory");
  }

  @Test
  void shouldSayThatWeightsAreMissing() throws IOException {
    Path model = model(withWeightsIn("model.bin"));

    assertThatThrownBy(() -> EngineKey.hash(model)).isInstanceOf(NoSuchFileException.class);
  }
}
