package dev.conveyor.models.onnx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import com.google.protobuf.CodedOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class OnnxExternalDataTest {

  private static final int MODEL_GRAPH = 7;
  private static final int GRAPH_NODE = 1;
  private static final int GRAPH_INITIALIZER = 5;
  private static final int NODE_ATTRIBUTE = 5;
  private static final int ATTRIBUTE_GRAPH = 6;
  private static final int TENSOR_EXTERNAL_DATA = 13;

  @TempDir private Path dir;

  @Test
  void shouldFindWeightsInAGraphInsideOfOthers() throws IOException {
    assertThat(OnnxExternalData.locations(model(33))).containsExactly("weights.bin");
  }

  @Test
  void shouldRefuseGraphsThatAreNestedTooDeep() throws IOException {
    Path deep = model(34);
    assertThatThrownBy(() -> OnnxExternalData.locations(deep))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("nested more than 33 deep");
  }

  @Test
  void shouldNotRunOutOfStackHoweverDeepGraphsAreNested() throws IOException {
    Path deep = model(5_000);
    assertThatThrownBy(() -> OnnxExternalData.locations(deep)).isInstanceOf(IOException.class);
  }

  /** Writes a model of so many graphs inside of one another, the innermost with a tensor. */
  private Path model(int graphs) throws IOException {
    ByteString entry =
        message(1, ByteString.copyFromUtf8("location"))
            .concat(message(2, ByteString.copyFromUtf8("weights.bin")));
    ByteString graph = message(GRAPH_INITIALIZER, message(TENSOR_EXTERNAL_DATA, entry));
    for (int i = 1; i < graphs; i++) {
      graph = message(GRAPH_NODE, message(NODE_ATTRIBUTE, message(ATTRIBUTE_GRAPH, graph)));
    }
    return Files.write(dir.resolve("model.onnx"), message(MODEL_GRAPH, graph).toByteArray());
  }

  private static ByteString message(int field, ByteString content) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    CodedOutputStream out = CodedOutputStream.newInstance(bytes);
    out.writeBytes(field, content);
    out.flush();
    return ByteString.copyFrom(bytes.toByteArray());
  }
}
