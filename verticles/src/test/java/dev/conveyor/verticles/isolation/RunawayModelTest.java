package dev.conveyor.verticles.isolation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.onnx.proto.AttributeProto;
import dev.conveyor.models.onnx.proto.GraphProto;
import dev.conveyor.models.onnx.proto.ModelProto;
import dev.conveyor.models.onnx.proto.NodeProto;
import dev.conveyor.models.onnx.proto.OperatorSetIdProto;
import dev.conveyor.models.onnx.proto.TensorProto;
import dev.conveyor.models.onnx.proto.TensorShapeProto;
import dev.conveyor.models.onnx.proto.TypeProto;
import dev.conveyor.models.onnx.proto.ValueInfoProto;
import dev.conveyor.verticles.server.HttpCalls;
import dev.conveyor.verticles.server.HttpCalls.Answer;
import dev.conveyor.verticles.server.Requests;
import dev.conveyor.verticles.server.TestModels;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A model that computes for as long as a request says: centuries, unless ONNX Runtime is told. */
final class RunawayModelTest {

  private static final long CENTURIES = Long.MAX_VALUE;

  @TempDir private Path dir;

  @Test
  void shouldEndARunOfOnnxRuntimeThatTakesTooLong() throws IOException {
    TestModels models = new TestModels(dir);
    Files.createDirectories(models.file("loop", 1).getParent());
    Files.write(models.file("loop", 1), loop().toByteArray());
    models.config("loop", "{\"instance_group\": [{\"kind\": \"KIND_CPU\", \"count\": 1}]}");
    try (TestServer server = TestServer.startImpatient(models)) {
      HttpCalls http = server.http();
      for (int i = 0; i < 12; i++) {
        Answer answer = http.infer("loop", request(3));
        assertThat(answer.status()).as(answer.text()).isEqualTo(200);
        assertThat(answer.data()).isEqualTo(new JsonArray().add(-1.0).add(2.0));
      }

      Answer cut = http.infer("loop", request(CENTURIES));

      assertThat(cut.status()).as(cut.text()).isEqualTo(503);
      assertThat(cut.error()).contains("an execution runs for");
      // Until its threads come back, which is long after this test if not told.
      awaitNoneHung(http);
      Answer after = http.infer("loop", request(1));
      while (after.status() == 503) {
        after = http.infer("loop", request(1)); // The second instance in a row comes back later.
      }
      awaitNoneHung(http);
      assertThat(after.data()).isEqualTo(new JsonArray().add(-1.0).add(2.0));
      server.assertIdle();
    } // Which fails if the model's memory was kept.
  }

  private static void awaitNoneHung(HttpCalls http) {
    TestServer.awaitThat(() -> !http.get("/v2/models/loop/instances").text().contains("HUNG"));
  }

  private static JsonObject request(long trips) {
    return Requests.of(
        new JsonObject()
            .put("name", "TRIPS")
            .put("datatype", "INT64")
            .put("shape", new JsonArray().add(1))
            .put("data", new JsonArray().add(trips)),
        Requests.input("INPUT0", 2).put("data", new JsonArray().add(1).add(-2)));
  }

  /** {@code OUTPUT0 = -INPUT0}, so many times over. */
  private static ModelProto loop() {
    GraphProto body =
        GraphProto.newBuilder()
            .setName("body")
            .addInput(value("i", TensorProto.DataType.INT64))
            .addInput(value("go", TensorProto.DataType.BOOL))
            .addInput(value("x", TensorProto.DataType.FLOAT, 2))
            .addNode(node("Identity", "go", "goes"))
            .addNode(node("Neg", "x", "y"))
            .addOutput(value("goes", TensorProto.DataType.BOOL))
            .addOutput(value("y", TensorProto.DataType.FLOAT, 2))
            .build();
    NodeProto loop =
        NodeProto.newBuilder()
            .setOpType("Loop")
            .addInput("TRIPS")
            .addInput("")
            .addInput("INPUT0")
            .addOutput("OUTPUT0")
            .addAttribute(
                AttributeProto.newBuilder()
                    .setName("body")
                    .setType(AttributeProto.AttributeType.GRAPH)
                    .setG(body))
            .build();
    return ModelProto.newBuilder()
        .setIrVersion(8)
        .addOpsetImport(OperatorSetIdProto.newBuilder().setVersion(13))
        .setGraph(
            GraphProto.newBuilder()
                .setName("loop")
                .addInput(value("TRIPS", TensorProto.DataType.INT64, 1))
                .addInput(value("INPUT0", TensorProto.DataType.FLOAT, 2))
                .addNode(loop)
                .addOutput(value("OUTPUT0", TensorProto.DataType.FLOAT, 2)))
        .build();
  }

  private static NodeProto node(String operator, String input, String output) {
    return NodeProto.newBuilder().setOpType(operator).addInput(input).addOutput(output).build();
  }

  private static ValueInfoProto value(String name, TensorProto.DataType type, long... dims) {
    TensorShapeProto.Builder shape = TensorShapeProto.newBuilder();
    for (long dim : dims) {
      shape.addDim(TensorShapeProto.Dimension.newBuilder().setDimValue(dim));
    }
    return ValueInfoProto.newBuilder()
        .setName(name)
        .setType(
            TypeProto.newBuilder()
                .setTensorType(
                    TypeProto.Tensor.newBuilder().setElemType(type.getNumber()).setShape(shape)))
        .build();
  }
}
