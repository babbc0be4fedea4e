package dev.conveyor.verticles.ensemble;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import dev.conveyor.models.DataType;
import dev.conveyor.verticles.bus.InferenceClient;
import dev.conveyor.verticles.proto.GRPCInferenceServiceGrpcClient;
import dev.conveyor.verticles.proto.ModelInferRequest;
import dev.conveyor.verticles.proto.ModelInferRequest.InferInputTensor;
import dev.conveyor.verticles.proto.ModelInferResponse;
import dev.conveyor.verticles.server.RawConnection;
import dev.conveyor.verticles.server.Requests;
import dev.conveyor.verticles.server.ServerCase;
import dev.conveyor.verticles.server.TestModels;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.Future;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import io.vertx.core.net.SocketAddress;
import io.vertx.grpc.client.GrpcClient;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Ensembles over gRPC, many at once, and with clients that go away in the middle. */
final class EnsembleClientsTest extends ServerCase {

  /** Nothing runs until four rows are there, from whomever. */
  private static final String FOUR_AT_ONCE =
      "{\"max_batch_size\": 4, \"dynamic_batching\": {\"preferred_batch_size\": [4],"
          + " \"max_queue_delay_microseconds\": 600000000}}";

  @BeforeAll
  static void start() {
    serve(
        new TestModels(dir)
            .unary("negate", 1, "Neg", DataType.FP32, "batch", 4)
            .unary("four", 1, "Abs", DataType.FP32, "batch", 4)
            .unary("plain", 1, "Abs", DataType.FP32, "batch", 4)
            .config("four", FOUR_AT_ONCE)
            .config("each", ensemble("four", 0, "{'for_each': ['INPUT0']}"))
            .config("narrow", ensemble("four", 3, ""))
            .config("busy", ensemble("plain", 2, "{'for_each': ['INPUT0']}")));
  }

  @Test
  void shouldServeEnsemblesOverGrpc() {
    try (Grpc grpc = new Grpc()) {
      ModelInferResponse answer = TestServer.await(grpc.api.modelInfer(request("busy", 3, "")));
      assertThat(answer.getModelName()).isEqualTo("busy");
      assertThat(answer.getOutputs(0).getName()).isEqualTo("OUT");
      assertThat(answer.getOutputs(0).getShapeList()).containsExactly(3L, 4L);
      assertThat(Requests.floats(answer.getRawOutputContents(0).toByteArray()))
          .isEqualTo(Requests.floats(Requests.counting(0, 12)));
      ModelInferResponse none = TestServer.await(grpc.api.modelInfer(request("busy", 0, "")));
      assertThat(none.getOutputs(0).getShapeList()).containsExactly(0L, 4L);
      assertThat(none.getRawOutputContents(0)).isEmpty();
      assertThatThrownBy(() -> TestServer.await(grpc.api.modelInfer(request("busy", 300, ""))))
          .cause()
          .hasStackTraceContaining("INVALID_ARGUMENT");
    }
  }

  @Test
  void shouldCallOffTheItemsOfAGrpcClientThatCancels() {
    try (Grpc grpc = new Grpc()) {
      var call =
          TestServer.await(
              grpc.client.request(grpc.address, GRPCInferenceServiceGrpcClient.ModelInfer));
      call.end(request("each", 3, ""));
      server.awaitQueued("four", 3);
      call.cancel();
      server.awaitQueued("four", 0);
    }
  }

  @Test
  void shouldCallOffTheItemsOfAConnectionThatBreaks() throws IOException {
    String body =
        Requests.of(Requests.input("IN", 2, 4).put("data", new JsonArray("[1,2,3,4,5,6,7,8]")))
            .encode();
    try (RawConnection client = new RawConnection(server.httpPort())) {
      client.send(
          "POST /v2/models/each/infer HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s"
              .formatted(body.length(), body));
      server.awaitQueued("four", 2);
      client.reset();
      server.awaitQueued("four", 0);
    }
    // The next request finds nothing of it in its batch.
    var next = server.http().inferAsync("each", rows(4), new byte[0]);
    assertThat(next.join().status()).isEqualTo(200);
  }

  @Test
  void shouldLetNoMoreThanTheLimitIntoAStepAtATime() {
    InferenceClient client = InferenceClient.create(server.vertx());
    long before = executions("four");
    List<Future<?>> answers = new ArrayList<>();
    for (int i = 0; i < 6; i++) {
      answers.add(client.infer("narrow", List.of(Requests.tensor("IN", i, 1, 2, 3))));
    }
    // Three of six are let in. Were it more, four would have run, and three never been alone.
    for (int round = 0; round < 2; round++) {
      server.awaitQueued("four", 3);
      TestServer.await(client.infer("four", List.of(Requests.tensor("INPUT0", 1, 2, 3, 4))));
    }
    TestServer.await(Future.all(answers));
    assertThat(executions("four") - before).isEqualTo(2);
  }

  @Test
  void shouldKeepEveryRequestInOrderUnderLoadAndLimit() {
    InferenceClient client = InferenceClient.create(server.vertx());
    List<Future<?>> answers = new ArrayList<>();
    for (int i = 0; i < 500; i++) {
      float value = i;
      answers.add(
          client
              .infer("busy", List.of(Requests.tensor("IN", value, 1, 2, 3)))
              .map(
                  response -> {
                    assertThat(Requests.floats(response.outputs().get(0)))
                        .containsExactly(value, 1, 2, 3);
                    response.close();
                    return value;
                  }));
    }
    TestServer.await(Future.all(answers));
  }

  private static long executions(String model) {
    return server.server().catalog().find(model, "").stats().snapshot().executionCount();
  }

  private static JsonObject rows(int count) {
    JsonArray data = new JsonArray();
    for (int i = 0; i < 4 * count; i++) {
      data.add((double) i);
    }
    return Requests.of(Requests.input("IN", count, 4).put("data", data));
  }

  private static ModelInferRequest request(String model, int rows, String id) {
    return ModelInferRequest.newBuilder()
        .setModelName(model)
        .setId(id)
        .addInputs(
            InferInputTensor.newBuilder()
                .setName("IN")
                .setDatatype("FP32")
                .addShape(rows)
                .addShape(4))
        .addRawInputContents(ByteString.copyFrom(Requests.counting(0, 4 * rows)))
        .build();
  }

  private static String ensemble(String second, int limit, String flow) {
    return ("{'platform': 'ensemble',"
            + " 'input': [{'name': 'IN', 'data_type': 'TYPE_FP32', 'dims': [-1, 4]}],"
            + " 'output': [{'name': 'OUT', 'data_type': 'TYPE_FP32', 'dims': [-1, 4]}],"
            + " 'ensemble_scheduling': {'max_inflight_requests': "
            + limit
            + ", 'step': [{'model_name': 'negate', 'input_map': {'INPUT0': 'IN'},"
            + " 'output_map': {'OUTPUT0': 'x'}}, {'model_name': '"
            + second
            + "', 'input_map': {'INPUT0': 'x'}, 'output_map': {'OUTPUT0': 'OUT'}}]},"
            + " 'conveyor': {'ensemble_step': ["
            + flow
            + "]}}")
        .replace('\'', '"');
  }

  /** A client of the server's gRPC port. */
  private static final class Grpc implements AutoCloseable {
    final GrpcClient client = GrpcClient.client(server.vertx());
    final SocketAddress address =
        SocketAddress.inetSocketAddress(server.server().grpcPort(), "127.0.0.1");
    final GRPCInferenceServiceGrpcClient api =
        GRPCInferenceServiceGrpcClient.create(client, address);

    @Override
    public void close() {
      TestServer.await(client.close());
    }
  }
}
