package dev.conveyor.verticles.ensemble;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
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
import dev.conveyor.verticles.server.ServerCase;
import dev.conveyor.verticles.server.TestModels;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.eventbus.DeliveryOptions;
import io.vertx.core.eventbus.Message;
import io.vertx.core.eventbus.MessageConsumer;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import io.vertx.core.net.SocketAddress;
import io.vertx.grpc.client.GrpcClient;
import io.vertx.grpc.client.GrpcClientRequest;
import io.vertx.grpc.client.GrpcClientResponse;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;

/** The client's trace, through the steps of an ensemble and back, on every protocol. */
final class TraceTest extends ServerCase {

  private static final String HEADER = "traceparent";

  private static int traces;

  private String trace = "";

  @BeforeAll
  static void start() {
    serve(
        new TestModels(dir)
            .unary("negate", 1, "Neg", DataType.FP32, "batch", 4)
            .unary("abs", 1, "Abs", DataType.FP32, "batch", 4)
            .config("both", ensemble())
            .config("outer", outer())
            .config("each", each())
            .unary("root", 1, "Sqrt", DataType.FP32, "batch", 4)
            .config("root", "{\"conveyor\": {\"reject_non_finite\": true}}")
            .config("failing", failing()));
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

  @Test
  void shouldFlowThroughAnEnsembleThatIsAStep() {
    HttpCalls http = server.http();

    Answer answer =
        http.send(http.inferRequest("outer", row(4), new byte[0]).header(HEADER, trace).build());

    assertThat(answer.status()).as(answer::text).isEqualTo(200);
    assertStepsAreTraced();
  }

  @Test
  void shouldFlowWithEveryItemOfAFanOut() {
    HttpCalls http = server.http();
    JsonObject rows =
        Requests.of(
            Requests.input("IN", 3, 4).put("data", new JsonArray("[1,2,3,4,5,6,7,8,9,10,11,12]")));

    Answer answer =
        http.send(http.inferRequest("each", rows, new byte[0]).header(HEADER, trace).build());

    assertThat(answer.status()).as(answer::text).isEqualTo(200);
    int traced = 0;
    for (Object decision : decisions("abs", 3)) {
      JsonArray traces = ((JsonObject) decision).getJsonArray("traces", new JsonArray());
      traced += (int) traces.stream().filter(trace::equals).count();
    }
    assertThat(traced).as("items, in whatever batches").isEqualTo(3);
  }

  @Test
  void shouldBeWhereAFailureIsBlamed() {
    MessageConsumer<JsonObject> events =
        server.vertx().eventBus().consumer(BusAddresses.events(BusAddresses.DEFAULT_PREFIX));
    Promise<String> blamed = Promise.promise();
    events.handler(
        event -> {
          if ("isolation".equals(event.body().getString("event"))) {
            blamed.tryComplete(event.body().getString("detail"));
          }
        });
    HttpCalls http = server.http();
    JsonObject negative =
        Requests.of(Requests.input("IN", 1, 4).put("data", new JsonArray("[-1,2,3,4]")));

    Answer answer =
        http.send(
            http.inferRequest("failing", negative, new byte[0]).header(HEADER, trace).build());

    assertThat(answer.status()).isEqualTo(500);
    assertThat(answer.header(HEADER)).isEqualTo(trace);
    assertThat(TestServer.await(blamed.future())).endsWith(", traceparent " + trace);
    TestServer.await(events.unregister());
  }

  @Test
  void shouldBeInTheLogWhereAStepWithoutAModelFails() {
    Logger logger = (Logger) LoggerFactory.getLogger("dev.conveyor.verticles.ensemble.StepCall");
    ListAppender<ILoggingEvent> log = new ListAppender<>();
    log.start();
    logger.addAppender(log);
    try {
      HttpCalls http = server.http();
      Answer answer =
          http.send(
              http.inferRequest("failing", row(4), new byte[0]).header(HEADER, trace).build());
      assertThat(answer.status()).isEqualTo(500);
    } finally {
      logger.detachAppender(log);
    }
    assertThat(log.list).hasSize(1);
    assertThat(log.list.get(0).getFormattedMessage())
        .isEqualTo(
            "ensemble 'failing': step 1 (model 'conveyor.double') failed, traceparent " + trace);
    assertThat(log.list.get(0).getThrowableProxy().getMessage()).isEqualTo("out of paper");
  }

  private void assertStepsAreTraced() {
    for (String model : List.of("negate", "abs")) {
      JsonObject last = decisions(model).getJsonObject(0);
      assertThat(last.getString("kind")).isEqualTo("RUN");
      assertThat(last.getJsonArray("traces")).as(model).isEqualTo(new JsonArray().add(trace));
    }
  }

  private static JsonArray decisions(String model) {
    return decisions(model, 1);
  }

  private static JsonArray decisions(String model, int limit) {
    return server
        .http()
        .get("/v2/scheduler/decisions?limit=" + limit + "&model=" + model)
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

  private static String outer() {
    return """
    {"platform": "ensemble", "max_batch_size": 8,
     "input": [{"name": "IN", "data_type": "TYPE_FP32", "dims": [4]}],
     "output": [{"name": "OUT", "data_type": "TYPE_FP32", "dims": [4]}],
     "ensemble_scheduling": {"step": [
       {"model_name": "both", "input_map": {"IN": "IN"}, "output_map": {"OUT": "OUT"}}]}}
    """;
  }

  private static String each() {
    return """
    {"platform": "ensemble",
     "input": [{"name": "IN", "data_type": "TYPE_FP32", "dims": [-1, 4]}],
     "output": [{"name": "OUT", "data_type": "TYPE_FP32", "dims": [-1, 4]}],
     "ensemble_scheduling": {"step": [
       {"model_name": "abs", "input_map": {"INPUT0": "IN"}, "output_map": {"OUTPUT0": "OUT"}}]},
     "conveyor": {"ensemble_step": [{"step": 0, "for_each": ["INPUT0"]}]}}
    """;
  }

  /** Its model refuses negative values, its last step all others. */
  private static String failing() {
    return """
    {"platform": "ensemble", "max_batch_size": 8,
     "input": [{"name": "IN", "data_type": "TYPE_FP32", "dims": [4]}],
     "output": [{"name": "OUT", "data_type": "TYPE_FP32", "dims": [4]}],
     "ensemble_scheduling": {"step": [
       {"model_name": "root", "input_map": {"INPUT0": "IN"}, "output_map": {"OUTPUT0": "between"}},
       {"model_name": "conveyor.double", "input_map": {"x": "between"}, "output_map": {"y": "OUT"}}]},
     "parameters": {"step[1].fails": {"string_value": "out of paper"}}}
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
