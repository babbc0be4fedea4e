package dev.conveyor.verticles.ensemble;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.conveyor.models.DataType;
import dev.conveyor.verticles.bus.BusAddresses;
import dev.conveyor.verticles.proto.GRPCInferenceServiceGrpcClient;
import dev.conveyor.verticles.proto.ModelInferRequest;
import dev.conveyor.verticles.proto.ModelInferRequest.InferInputTensor;
import dev.conveyor.verticles.proto.ModelInferResponse;
import dev.conveyor.verticles.proto.ModelStreamInferResponse;
import dev.conveyor.verticles.server.HttpCalls;
import dev.conveyor.verticles.server.HttpCalls.Answer;
import dev.conveyor.verticles.server.Requests;
import dev.conveyor.verticles.server.TestModels;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.Future;
import io.vertx.core.eventbus.DeliveryOptions;
import io.vertx.core.eventbus.Message;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import io.vertx.core.net.SocketAddress;
import io.vertx.grpc.client.GrpcClient;
import io.vertx.grpc.client.GrpcClientRequest;
import io.vertx.grpc.client.GrpcClientResponse;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The client's trace, through the steps of an ensemble and back, on every protocol. */
final class TraceTest {

  private static final String HEADER = "traceparent";

  @TempDir private static Path dir;
  private static TestServer server;
  private static int traces;

  private String trace = "";

  @BeforeAll
  static void start() {
    server =
        TestServer.start(
            new TestModels(dir)
                .unary("negate", 1, "Neg", DataType.FP32, "batch", 4)
                .unary("abs", 1, "Abs", DataType.FP32, "batch", 4)
                .config("both", ensemble()));
  }

  @AfterAll
  static void stop() {
    server.assertIdle();
    server.close();
  }

  @BeforeEach
  void begin() {
    trace = "00-%032x-b7ad6b7169203331-01".formatted(++traces);
  }

  @Test
  void shouldBeInTheDecisionsAboutEveryStepAndInTheAnswerOverHttp() {
    HttpCalls http = server.http();

    Answer answer =
        http.send(http.inferRequest("both", row(4), new byte[0]).header(HEADER, trace).build());

    assertThat(answer.status()).isEqualTo(200);
    assertThat(answer.header(HEADER)).isEqualTo(trace);
    assertStepsAreTraced();
  }

  @Test
  void shouldComeBackWithAnError() {
    HttpCalls http = server.http();

    Answer refused =
        http.send(http.inferRequest("both", row(5), new byte[0]).header(HEADER, trace).build());
    Answer unknown =
        http.send(http.inferRequest("nothing", row(4), new byte[0]).header(HEADER, trace).build());

    assertThat(refused.status()).isEqualTo(400);
    assertThat(refused.header(HEADER)).isEqualTo(trace);
    assertThat(unknown.status()).isEqualTo(404);
    assertThat(unknown.header(HEADER)).isEqualTo(trace);
  }

  @Test
  void shouldIgnoreWhatIsNoTrace() {
    HttpCalls http = server.http();

    Answer malformed =
        http.send(http.inferRequest("both", row(4), new byte[0]).header(HEADER, "me").build());

    assertThat(malformed.status()).isEqualTo(200);
    assertThat(malformed.response().headers().firstValue(HEADER)).isEmpty();
    assertThat(decisions("abs").getJsonObject(0).containsKey("traces")).isFalse();
  }

  @Test
  void shouldFlowOverGrpc() {
    try (Grpc grpc = new Grpc()) {
      GrpcClientRequest<ModelInferRequest, ModelInferResponse> call =
          TestServer.await(
              grpc.client.request(grpc.address, GRPCInferenceServiceGrpcClient.ModelInfer));
      call.headers().set(HEADER, trace);
      Future<String> returned =
          call.response()
              .compose(answer -> answer.last().map(last -> answer.headers().get(HEADER)));
      call.end(grpcRow());

      assertThat(TestServer.await(returned)).isEqualTo(trace);
      assertStepsAreTraced();
    }
  }

  @Test
  void shouldFlowOverAGrpcStream() {
    try (Grpc grpc = new Grpc()) {
      GrpcClientRequest<ModelInferRequest, ModelStreamInferResponse> call =
          TestServer.await(
              grpc.client.request(grpc.address, GRPCInferenceServiceGrpcClient.ModelStreamInfer));
      call.headers().set(HEADER, trace);
      Future<GrpcClientResponse<ModelInferRequest, ModelStreamInferResponse>> opened =
          call.response();
      Future<ModelStreamInferResponse> last = opened.compose(answer -> answer.last());
      call.end(grpcRow());

      assertThat(TestServer.await(last).getErrorMessage()).isEmpty();
      assertThat(opened.result().headers().get(HEADER)).isEqualTo(trace);
      assertStepsAreTraced();
    }
  }

  @Test
  void shouldFlowOverTheEventBus() {
    JsonObject request = row(4).put("model_name", "both");
    Message<Object> reply =
        TestServer.await(
            server
                .vertx()
                .eventBus()
                .request(
                    BusAddresses.infer(BusAddresses.DEFAULT_PREFIX),
                    request,
                    new DeliveryOptions().addHeader(HEADER, trace)));

    assertThat(reply.headers().get(HEADER)).isEqualTo(trace);
    assertStepsAreTraced();
  }

  private void assertStepsAreTraced() {
    for (String model : List.of("negate", "abs")) {
      JsonObject last = decisions(model).getJsonObject(0);
      assertThat(last.getString("kind")).isEqualTo("RUN");
      assertThat(last.getJsonArray("traces")).as(model).isEqualTo(new JsonArray().add(trace));
    }
  }

  private static JsonArray decisions(String model) {
    return server
        .http()
        .get("/v2/scheduler/decisions?limit=1&model=" + model)
        .json()
        .getJsonArray("decisions");
  }

  private static JsonObject row(int width) {
    JsonArray data = new JsonArray();
    for (int i = 0; i < width; i++) {
      data.add((double) i);
    }
    return Requests.of(Requests.input("IN", 1, width).put("data", data));
  }

  private static ModelInferRequest grpcRow() {
    return ModelInferRequest.newBuilder()
        .setModelName("both")
        .addInputs(
            InferInputTensor.newBuilder().setName("IN").setDatatype("FP32").addShape(1).addShape(4))
        .addRawInputContents(ByteString.copyFrom(Requests.counting(0, 4)))
        .build();
  }

  private static String ensemble() {
    return """
    {"platform": "ensemble", "max_batch_size": 8,
     "input": [{"name": "IN", "data_type": "TYPE_FP32", "dims": [4]}],
     "output": [{"name": "OUT", "data_type": "TYPE_FP32", "dims": [4]}],
     "ensemble_scheduling": {"step": [
       {"model_name": "negate", "input_map": {"INPUT0": "IN"}, "output_map": {"OUTPUT0": "between"}},
       {"model_name": "abs", "input_map": {"INPUT0": "between"}, "output_map": {"OUTPUT0": "OUT"}}]}}
    """;
  }

  /** A client of the server's gRPC port. */
  private static final class Grpc implements AutoCloseable {

    final GrpcClient client = GrpcClient.client(server.vertx());
    final SocketAddress address =
        SocketAddress.inetSocketAddress(server.server().grpcPort(), "127.0.0.1");

    @Override
    public void close() {
      TestServer.await(client.close());
    }
  }
}
