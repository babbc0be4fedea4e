package dev.conveyor.verticles.ensemble;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.conveyor.models.DataType;
import dev.conveyor.models.RefusalReason;
import dev.conveyor.scheduler.admission.LoadCell;
import dev.conveyor.scheduler.admission.ModelLoad;
import dev.conveyor.verticles.proto.GRPCInferenceServiceGrpcClient;
import dev.conveyor.verticles.proto.ModelInferRequest;
import dev.conveyor.verticles.proto.ModelInferRequest.InferInputTensor;
import dev.conveyor.verticles.proto.ModelInferResponse;
import dev.conveyor.verticles.server.Gate;
import dev.conveyor.verticles.server.HttpCalls.Answer;
import dev.conveyor.verticles.server.RawConnection;
import dev.conveyor.verticles.server.Requests;
import dev.conveyor.verticles.server.ServerCase;
import dev.conveyor.verticles.server.TestModels;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import io.vertx.core.net.SocketAddress;
import io.vertx.grpc.client.GrpcClient;
import io.vertx.grpc.client.GrpcClientRequest;
import io.vertx.grpc.client.GrpcClientResponse;
import io.vertx.grpc.common.GrpcStatus;
import java.net.http.HttpRequest;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Requests to an ensemble that are turned away before any of its models is asked. */
final class EnsembleAdmissionTest extends ServerCase {

  private static final String GATE = "admission";
  private static final long MINUTE_NS = 60_000_000_000L;
  private static final String ONE_CORE =
      """
      {"parameters": {"test_gate": {"string_value": "%s"}}, "conveyor": {"intra_op_threads": 1},
       "dynamic_batching": {"default_queue_policy": {"max_queue_size": 1}}}
      """;

  @BeforeAll
  static void start() {
    serve(
        new TestModels(dir)
            .unary("first", 1, "Neg", DataType.FP32, "batch", 4)
            .unary("second", 1, "Abs", DataType.FP32, "batch", 4)
            .config("first", ONE_CORE.formatted(GATE))
            .config("second", ONE_CORE.formatted(""))
            .config("wide", ensemble(0))
            .config("narrow", ensemble(1)));
  }

  @Test
  void shouldRefuseBeforeTheBodyIsSent() throws Exception {
    busy("second");
    try (RawConnection client = new RawConnection(server.httpPort())) {
      client.send(Requests.head(4, "wide", "x-timeout-ms: 5000\r\nexpect: 100-continue\r\n"));
      assertThat(client.statusLine()).isEqualTo("HTTP/1.1 503 Service Unavailable");
      assertThat(client.rest())
          .contains("\"reason\":\"deadline\"", "Retry-After: ", "step 1 (model 'second')");
    }
    busy("second");
    Answer patient = http.send(timed(600_000));
    assertThat(patient.status()).as(patient::text).isEqualTo(200);
    busy("second");
    assertThat(http.infer("wide", row()).status()).as("no deadline").isEqualTo(200);
  }

  @Test
  void shouldRefuseATimeoutThatIsInTheBodyBeforeAnyStepRuns() {
    busy("second");
    long ran = inferences("first");
    long refused = refusals();
    JsonObject hasty = row().put("parameters", new JsonObject().put("timeout", 5_000_000));
    Answer late = http.infer("wide", hasty);
    assertThat(late.status()).as(late::text).isEqualTo(503);
    assertThat(late.json().getString("reason")).isEqualTo("deadline");
    assertThat(Integer.parseInt(late.header("Retry-After"))).isBetween(1, 60);
    assertThat(inferences("first")).isEqualTo(ran);
    assertThat(refusals()).isEqualTo(refused + 1);
  }

  @Test
  void shouldRefuseOverGrpcAndNoteItWithTheDecisions() {
    GrpcClient client = GrpcClient.client(server.vertx());
    busy("second");
    var late = send(client, 5);
    assertThat(late.status()).isEqualTo(GrpcStatus.UNAVAILABLE);
    assertThat(late.statusMessage()).contains("ensemble 'wide' would answer after");
    String reason = late.trailers().get("refusal-reason");
    // The library shows the trailers of a call without messages as headers.
    assertThat(reason == null ? late.headers().get("refusal-reason") : reason)
        .isEqualTo("deadline");
    busy("second");
    assertThat(send(client, 600).status()).isEqualTo(GrpcStatus.OK);
    TestServer.await(client.close());
    TestServer.awaitThat(
        () ->
            http.get("/v2/scheduler/decisions?kind=REFUSE&model=wide")
                    .json()
                    .getJsonArray("decisions")
                    .size()
                > 0);
  }

  @Test
  void shouldRefuseForAFullQueueOnlyWhoWouldBeAskedAtOnce() throws InterruptedException {
    try (Gate gate = Gate.shut(GATE)) {
      var running = http.inferAsync("narrow", row(), new byte[0]);
      gate.awaitArrival();
      JsonObject input = row().getJsonArray("inputs").getJsonObject(0).put("name", "INPUT0");
      var queued = http.inferAsync("first", Requests.of(input), new byte[0]);
      TestServer.awaitThat(() -> door("first").get().full());
      Answer full = http.infer("wide", row());
      assertThat(full.status()).isEqualTo(503);
      assertThat(full.json().getString("reason")).isEqualTo("queue_full");
      assertThat(full.error()).startsWith("ensemble 'wide': step 0 (model 'first'): ");

      Answer waits = http.send(request("narrow").header("x-timeout-ms", "2000").build());
      assertThat(waits.status()).as("for its turn, not in that queue").isEqualTo(504);
      gate.open();
      assertThat(running.join().status()).isEqualTo(200);
      assertThat(queued.join().status()).isEqualTo(200);
    }
  }

  /** One batch of it ends in a minute; a run takes a millisecond. */
  private static void busy(String model) {
    ModelLoad.Speed speed = new ModelLoad.Speed(1, 1, 1_000_000, 1_000_000);
    door(model)
        .set(new ModelLoad(0, 0, 0, 1, false, 0, speed, System.nanoTime() + MINUTE_NS, 0, 0));
  }

  private static LoadCell door(String model) {
    return server.server().catalog().find(model, "").door().load();
  }

  private static HttpRequest timed(int millis) {
    return request("wide").header("x-timeout-ms", Integer.toString(millis)).build();
  }

  private static HttpRequest.Builder request(String model) {
    return http.inferRequest(model, row(), new byte[0]);
  }

  private static GrpcClientResponse<ModelInferRequest, ModelInferResponse> send(
      GrpcClient client, int seconds) {
    SocketAddress address =
        SocketAddress.inetSocketAddress(server.server().grpcPort(), "127.0.0.1");
    GrpcClientRequest<ModelInferRequest, ModelInferResponse> call =
        TestServer.await(client.request(address, GRPCInferenceServiceGrpcClient.ModelInfer));
    call.timeout(seconds, TimeUnit.SECONDS);
    ModelInferRequest request =
        ModelInferRequest.newBuilder()
            .setModelName("wide")
            .addInputs(
                InferInputTensor.newBuilder()
                    .setName("IN")
                    .setDatatype("FP32")
                    .addShape(1)
                    .addShape(4))
            .addRawInputContents(ByteString.copyFrom(Requests.counting(1, 4)))
            .build();
    var answered =
        call.response().compose(response -> response.end().otherwiseEmpty().map(response));
    return TestServer.await(call.end(request).compose(sent -> answered));
  }

  private static long refusals() {
    return server
        .server()
        .catalog()
        .find("wide", "")
        .stats()
        .refusals()
        .getOrDefault(RefusalReason.DEADLINE, 0L);
  }

  private static long inferences(String model) {
    return http.get("/v2/models/" + model + "/stats")
        .json()
        .getJsonArray("model_stats")
        .getJsonObject(0)
        .getLong("inference_count");
  }

  private static JsonObject row() {
    return Requests.of(Requests.input("IN", 1, 4).put("data", new JsonArray("[1.0,2.0,3.0,4.0]")));
  }

  private static String ensemble(int limit) {
    return """
        {"platform": "ensemble", "max_batch_size": 8,
         "input": [{"name": "IN", "data_type": "TYPE_FP32", "dims": [4]}],
         "output": [{"name": "OUT", "data_type": "TYPE_FP32", "dims": [4]}],
         "ensemble_scheduling": {"max_inflight_requests": %d, "step": [
           {"model_name": "first", "input_map": {"INPUT0": "IN"}, "output_map": {"OUTPUT0": "x"}},
           {"model_name": "second",
            "input_map": {"INPUT0": "x"}, "output_map": {"OUTPUT0": "OUT"}}]}}
        """
        .formatted(limit);
  }
}
