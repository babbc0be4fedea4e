package dev.conveyor.verticles.http;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.DataType;
import dev.conveyor.verticles.proto.GRPCInferenceServiceGrpcClient;
import dev.conveyor.verticles.proto.ModelMetadataRequest;
import dev.conveyor.verticles.proto.ModelMetadataResponse;
import dev.conveyor.verticles.server.HttpCalls.Answer;
import dev.conveyor.verticles.server.Requests;
import dev.conveyor.verticles.server.ServerCase;
import dev.conveyor.verticles.server.TestModels;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import io.vertx.core.net.SocketAddress;
import io.vertx.grpc.client.GrpcClient;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Models that clients see in another shape than they have: Triton's {@code reshape}. */
final class ReshapeTest extends ServerCase {

  private static final String BATCHED =
      """
      {"max_batch_size": 4, "dynamic_batching": {},
       "input": [{"name": "INPUT0", "dims": [6], "reshape": {"shape": [2, 3]}}],
       "output": [{"name": "OUTPUT0", "dims": [3, 2], "reshape": {"shape": [2, 3]}}],
       "model_warmup": [{"name": "w", "batch_size": 2, "inputs":
           {"INPUT0": {"data_type": "TYPE_FP32", "dims": [6], "zero_data": true}}}]%s}""";

  @BeforeAll
  static void start() {
    serve(
        new TestModels(dir)
            .identity("batched", DataType.FP32, "batch", 2, 3)
            .config("batched", BATCHED.formatted(""))
            .identity("apart", DataType.FP32, "batch", 2, 3)
            .config(
                "apart",
                BATCHED.formatted(
                    ", \"instance_group\": [{\"kind\": \"KIND_CPU\", \"isolation\": \"process\"}]"))
            .identity("quick_start", DataType.FP32, 1, 3, 1, 2)
            .config(
                "quick_start",
                """
                {"platform": "onnxruntime_onnx", "max_batch_size": 0,
                 "input": [{"name": "INPUT0", "data_type": "TYPE_FP32", "format": "FORMAT_NCHW",
                            "dims": [3, 1, 2], "reshape": {"shape": [1, 3, 1, 2]}}],
                 "output": [{"name": "OUTPUT0", "data_type": "TYPE_FP32", "dims": [6],
                             "reshape": {"shape": [1, 3, 1, 2]}}]}""")
            .identity("varying", DataType.FP32, "batch", 1, "width")
            .config(
                "varying",
                """
                {"max_batch_size": 4,
                 "input": [{"name": "INPUT0", "dims": [-1], "reshape": {"shape": [1, -1]}}],
                 "output": [{"name": "OUTPUT0", "dims": [-1, 1], "reshape": {"shape": [1, -1]}}]}""")
            .config(
                "ensemble",
                """
                {"platform": "ensemble", "max_batch_size": 4,
                 "input": [{"name": "IN", "data_type": "TYPE_FP32", "dims": [6]}],
                 "output": [{"name": "OUT", "data_type": "TYPE_FP32", "dims": [3, 2]}],
                 "ensemble_scheduling": {"step": [{"model_name": "batched",
                     "input_map": {"INPUT0": "IN"}, "output_map": {"OUTPUT0": "OUT"}}]}}""")
            .file("ensemble", "1/nothing", ""));
  }

  @ParameterizedTest
  @CsvSource({
    "batched, INPUT0, '[2,6]', '[2,3,2]'",
    "apart, INPUT0, '[2,6]', '[2,3,2]'",
    "ensemble, IN, '[2,6]', '[2,3,2]'",
    "varying, INPUT0, '[2,6]', '[2,6,1]'",
    "varying, INPUT0, '[4,3]', '[4,3,1]'"
  })
  void shouldMoveNoNumberBetweenTheShapes(
      String model, String input, String sent, String received) {
    Answer answer = http.infer(model, request(input, sent, 12));

    assertThat(answer.status()).as(answer::text).isEqualTo(200);
    assertThat(answer.output(0).getJsonArray("shape")).isEqualTo(new JsonArray(received));
    assertThat(answer.data()).isEqualTo(numbers(12));
  }

  @Test
  void shouldServeTritonsQuickStart() {
    Answer answer = http.infer("quick_start", request("INPUT0", "[3,1,2]", 6));

    assertThat(answer.status()).as(answer::text).isEqualTo(200);
    assertThat(answer.output(0).getJsonArray("shape")).isEqualTo(new JsonArray("[6]"));
    assertThat(answer.data()).isEqualTo(numbers(6));
    JsonObject config = http.get("/v2/models/quick_start/config").json();
    JsonObject input = config.getJsonArray("input").getJsonObject(0);
    assertThat(input.getString("format")).isEqualTo("FORMAT_NCHW");
    assertThat(input.getJsonObject("reshape").getJsonArray("shape"))
        .isEqualTo(new JsonArray("[1,3,1,2]"));
  }

  @ParameterizedTest
  @CsvSource({
    "batched, INPUT0, '[2,2,3]', '[-1,6]'",
    "ensemble, IN, '[2,2,3]', '[-1,6]'",
    "quick_start, INPUT0, '[1,3,1,2]', '[3,1,2]'"
  })
  void shouldTakeTheShapeThatItTells(String model, String input, String sent, String expected) {
    Answer answer = http.infer(model, request(input, sent, model.equals("quick_start") ? 6 : 12));

    assertThat(answer.status()).isEqualTo(400);
    assertThat(answer.error()).contains("Expected " + expected);
  }

  @Test
  void shouldTellClientsTheirShapes() {
    JsonObject metadata = http.get("/v2/models/batched").json();
    assertThat(metadata.getJsonArray("inputs").getJsonObject(0).getJsonArray("shape"))
        .isEqualTo(new JsonArray("[-1,6]"));
    assertThat(metadata.getJsonArray("outputs").getJsonObject(0).getJsonArray("shape"))
        .isEqualTo(new JsonArray("[-1,3,2]"));
    GrpcClient client = GrpcClient.client(server.vertx());
    try {
      ModelMetadataResponse same =
          TestServer.await(
              GRPCInferenceServiceGrpcClient.create(
                      client,
                      SocketAddress.inetSocketAddress(server.server().grpcPort(), "127.0.0.1"))
                  .modelMetadata(ModelMetadataRequest.newBuilder().setName("batched").build()));
      assertThat(same.getInputs(0).getShapeList()).containsExactly(-1L, 6L);
      assertThat(same.getOutputs(0).getShapeList()).containsExactly(-1L, 3L, 2L);
    } finally {
      TestServer.await(client.close());
    }
  }

  private static JsonObject request(String input, String shape, int count) {
    return Requests.of(
        new JsonObject()
            .put("name", input)
            .put("datatype", "FP32")
            .put("shape", new JsonArray(shape))
            .put("data", numbers(count)));
  }

  private static JsonArray numbers(int count) {
    JsonArray numbers = new JsonArray();
    for (int i = 0; i < count; i++) {
      numbers.add((double) i);
    }
    return numbers;
  }
}
