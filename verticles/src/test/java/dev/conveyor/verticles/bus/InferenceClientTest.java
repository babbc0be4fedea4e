package dev.conveyor.verticles.bus;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.memory.HeapShare;
import dev.conveyor.models.BytesTensors;
import dev.conveyor.models.DataType;
import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.RefusalReason;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.config.Tenants;
import dev.conveyor.scheduler.InferenceResponse;
import dev.conveyor.scheduler.NanoClock;
import dev.conveyor.verticles.FrontDoor;
import dev.conveyor.verticles.sample.InspectionApp;
import dev.conveyor.verticles.server.Gate;
import dev.conveyor.verticles.server.Requests;
import dev.conveyor.verticles.server.ServerCase;
import dev.conveyor.verticles.server.TestModels;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.eventbus.DeliveryOptions;
import io.vertx.core.eventbus.Message;
import io.vertx.core.eventbus.MessageConsumer;
import io.vertx.core.eventbus.ReplyException;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The event bus as a protocol, in the JVM of the server. */
final class InferenceClientTest extends ServerCase {

  private static final String ADDRESS = BusAddresses.infer(BusAddresses.DEFAULT_PREFIX);

  private static final int REQUEST_MEMORY_BYTES = 4 << 20;

  private static InferenceClient client;

  @BeforeAll
  static void start() {
    TestModels models =
        new TestModels(dir)
            .identity("simple", 4)
            .identity("strings", DataType.BYTES, "batch", 2)
            .identity("half", DataType.FP16, "batch", 2)
            .identity("gated", 4)
            .identity("wide", DataType.FP32, "batch", "width")
            .config(
                "wide",
                "{\"max_batch_size\": 4, \"parameters\":"
                    + " {\"test_gate\": {\"string_value\": \"wide\"}}}")
            .identity("scarce", DataType.FP32, "batch", "width")
            .config(
                "scarce",
                "{\"conveyor\": {\"admission\":"
                    + " {\"quota\": {\"requests_per_second\": 0.001, \"burst\": 1}}}}")
            .config("gated", "{\"parameters\": {\"test_gate\": {\"string_value\": \"bus\"}}}");
    JsonObject limits =
        new JsonObject()
            .put("max_message_bytes", 1 << 20)
            .put("request_memory_bytes", REQUEST_MEMORY_BYTES);
    serve(models, new JsonObject().put("limits", limits));
    client = InferenceClient.create(server.vertx());
  }

  @Test
  void shouldGiveBackTypedTensors() {
    InferenceResponse answer =
        TestServer.await(client.infer("simple", List.of(Requests.tensor("INPUT0", 1, 2, 3, 4))));
    assertThat(answer.model()).isEqualTo("simple");
    assertThat(answer.version()).isEqualTo("1");
    Tensor output = answer.outputs().get(0);
    assertThat(output.name()).isEqualTo("OUTPUT0");
    assertThat(output.shape()).isEqualTo(Shape.of(1, 4));
    assertThat(Requests.floats(output)).containsExactly(1, 2, 3, 4);
  }

  @Test
  void shouldCarryStringsAndLargeTensors() {
    Tensor words = BytesTensors.ofStrings("INPUT0", Shape.of(1, 2), List.of("ä", "x".repeat(9999)));
    InferenceResponse answer = TestServer.await(client.infer("strings", List.of(words)));
    assertThat(BytesTensors.strings(answer.outputs().get(0)))
        .containsExactly("ä", "x".repeat(9999));
  }

  @Test
  void shouldTakeAndAnswerJson() {
    JsonObject request = Requests.row(1, 2, 3, 4).put("model_name", "simple").put("id", "7");
    JsonObject answer = (JsonObject) send(request).result().body();
    assertThat(answer.getString("id")).isEqualTo("7");
    assertThat(answer.getJsonArray("outputs").getJsonObject(0).getJsonArray("data"))
        .isEqualTo(new JsonArray("[1.0,2.0,3.0,4.0]"));
  }

  @Test
  void shouldFailWithTheCodeOfTheError() {
    Tensor row = Requests.tensor("INPUT0", 1, 2, 3, 4);
    assertThat(failure(client.infer("none", List.of(row))).code()).isEqualTo(ErrorCode.NOT_FOUND);
    assertThat(failure(client.infer("simple", "9", List.of(row), new JsonObject())).code())
        .isEqualTo(ErrorCode.NOT_FOUND);
    assertThat(failure(client.infer("simple", List.of())).code())
        .isEqualTo(ErrorCode.INVALID_REQUEST);
    Tensor tooLarge = Requests.tensor("INPUT0", new float[1 << 18]);
    assertThat(failure(client.infer("simple", List.of(tooLarge))).code())
        .isEqualTo(ErrorCode.TOO_LARGE);
    Vertx alone = Vertx.vertx();
    InferenceException nobody =
        failure(InferenceClient.create(alone).infer("simple", List.of(row)));
    assertThat(nobody.code()).isEqualTo(ErrorCode.UNAVAILABLE);
    TestServer.await(alone.close());
  }

  @Test
  void shouldAnswerMessagesThatAreNoRequests() {
    Object[] wrong = {
      "text",
      Buffer.buffer(),
      Buffer.buffer("garbage"),
      Buffer.buffer().appendInt(-1),
      Buffer.buffer().appendInt(Integer.MAX_VALUE).appendString("{}"),
      new JsonObject(),
      Requests.row(1, 2, 3, 4),
      Requests.row(1, 2, 3, 4)
          .put("model_name", "simple")
          .put("parameters", new JsonObject().put("binary_data_output", true)),
      new JsonObject().put("model_name", 5)
    };
    for (Object body : wrong) {
      assertThat(failureCode(send(body))).isEqualTo(ErrorCode.INVALID_REQUEST.wireCode());
    }
    for (String timeout : new String[] {"soon", "-1", "0"}) {
      DeliveryOptions options = new DeliveryOptions().addHeader("timeout_ms", timeout);
      assertThat(failureCode(send(Requests.row(1, 2, 3, 4).put("model_name", "simple"), options)))
          .isEqualTo(ErrorCode.INVALID_REQUEST.wireCode());
    }
    DeliveryOptions patient =
        new DeliveryOptions().addHeader("timeout_ms", Long.toString(Long.MAX_VALUE));
    assertThat(send(Requests.row(1, 2, 3, 4).put("model_name", "simple"), patient).succeeded())
        .isTrue();
  }

  @Test
  void shouldGiveUpAfterTheTimeout() throws Exception {
    Tensor row = Requests.tensor("INPUT0", 1, 2, 3, 4);
    Future<InferenceResponse> running;
    try (Gate gate = Gate.shut("bus")) {
      running = client.infer("gated", List.of(row));
      gate.awaitArrival();
      InferenceClient impatient = InferenceClient.create(server.vertx(), "conveyor", 1);
      assertThat(failure(impatient.infer("gated", List.of(row))).code())
          .isEqualTo(ErrorCode.DEADLINE_EXCEEDED);
      server.awaitQueued("gated", 0);
    }
    assertThat(TestServer.await(running).outputs()).hasSize(1);
  }

  @Test
  void shouldCountMessagesUntilTheyAreAnswered() throws Exception {
    Tensor wide = Requests.tensor("INPUT0", new float[50_000]);
    Future<InferenceResponse> running;
    try (Gate gate = Gate.shut("wide")) {
      running = client.infer("wide", List.of(wide));
      gate.awaitArrival();
      assertThat(server.server().requestMemory().leasedBytes()).isGreaterThanOrEqualTo(200_000);
      assertThat(server.server().requestMemory().shareOf("wide").heldBytes())
          .isGreaterThanOrEqualTo(200_000);
      try (HeapShare most = server.server().requestMemory().heapShare()) {
        assertThat(most.growTo(REQUEST_MEMORY_BYTES - 300_000)).isTrue();
        InferenceException refused = failure(client.infer("wide", List.of(wide)));
        assertThat(refused.code()).isEqualTo(ErrorCode.QUEUE_FULL);
        assertThat(refused.getMessage()).contains("no memory for a message of");
      }
    }
    assertThat(TestServer.await(running).outputs()).hasSize(1);
    server.awaitScheduler(now -> server.server().requestMemory().leasedBytes() == 0);
  }

  @Test
  void shouldRefuseAboveTheShareOfAModelAndSpendNoQuota() {
    Tensor wide = Requests.tensor("INPUT0", new float[50_000]);
    try (HeapShare most = server.server().requestMemory().shareOf("scarce").heapShare()) {
      assertThat(most.growTo(REQUEST_MEMORY_BYTES * 6L / 10)).isTrue();
      InferenceException refused = failure(client.infer("scarce", List.of(wide)));
      assertThat(refused.code()).isEqualTo(ErrorCode.QUEUE_FULL);
      assertThat(refused.getMessage()).contains("which is its share");
      assertThat(server.server().catalog().find("scarce", "").stats().refusals())
          .containsEntry(RefusalReason.REQUEST_MEMORY, 1L);
      assertThat(TestServer.await(client.infer("wide", List.of(wide))).outputs()).hasSize(1);
    }
    assertThat(TestServer.await(client.infer("scarce", List.of(wide))).outputs()).hasSize(1);
    InferenceException over = failure(client.infer("scarce", List.of(wide)));
    assertThat(over.code()).isEqualTo(ErrorCode.OVER_QUOTA);
    assertThat(over.reason()).isEqualTo(RefusalReason.MODEL_QUOTA);
    assertThat(over.retryAfterNs()).isPositive();
    assertThat(over.getMessage()).doesNotContain("reason=");
  }

  @Test
  void shouldGiveMemoryBackWhenTheGatewayThrows() {
    BusFrontEnd broken =
        new BusFrontEnd(
            (call, handler) -> {
              throw new IllegalStateException("broken gateway");
            },
            new FrontDoor(new Tenants(8, new Tenants.Tenant(1, null), Map.of()), NanoClock.SYSTEM),
            server.server().catalog(),
            "broken",
            1 << 20,
            server.server().requestMemory());
    String id = TestServer.await(server.vertx().deployVerticle(broken));
    JsonObject request = Requests.row(new float[50_000]).put("model_name", "wide");
    Future<Message<Object>> answer =
        server.vertx().eventBus().request(BusAddresses.infer("broken"), request);
    assertThatThrownBy(() -> TestServer.await(answer)).hasMessageContaining("broken gateway");
    assertThat(server.server().requestMemory().leasedBytes()).isZero();
    TestServer.await(server.vertx().undeploy(id));
  }

  @Test
  void shouldPublishWhatHappensToModels() throws Exception {
    BlockingQueue<JsonObject> events = new LinkedBlockingQueue<>();
    MessageConsumer<JsonObject> consumer =
        server
            .vertx()
            .eventBus()
            .consumer(
                BusAddresses.events("conveyor"),
                event -> {
                  // What other tests were refused is told a while later.
                  if (!"overload".equals(event.body().getString("event"))) {
                    events.add(event.body());
                  }
                });
    TestServer.await(consumer.completion());
    TestServer.await(server.server().repository().load("half", (String) null));
    assertThat(next(events).getString("event")).isEqualTo("model_loading");
    JsonObject ready = next(events);
    assertThat(ready.getString("event")).isEqualTo("model_ready");
    assertThat(ready.getString("model")).isEqualTo("half");
    assertThat(ready.getString("version")).isEqualTo("1");
    assertThat(ready.getInteger("instances")).isPositive();
    assertThat(ready.getLong("reserved_bytes")).isPositive();
    TestServer.await(
        server.server().repository().load("half", "{\"nonsense\": 1}").otherwiseEmpty());
    assertThat(next(events).getString("event")).isEqualTo("model_loading");
    JsonObject failed = next(events);
    assertThat(failed.getString("event")).as("it serves on").isEqualTo("model_load_failed");
    assertThat(failed.getString("reason")).contains("nonsense");
    JsonObject refused = next(events);
    assertThat(refused.getString("decision")).isEqualTo("load_refused");
    assertThat(refused.getString("model")).isEqualTo("half");
    assertThat(refused.getString("reason")).isEqualTo("configuration");
    TestServer.await(server.server().repository().unload("half"));
    assertThat(next(events).getString("event")).isEqualTo("model_unavailable");
    TestServer.await(consumer.unregister());
  }

  @Test
  void shouldServeAnApplicationInTheSameJvm() throws Exception {
    Vertx vertx = server.vertx();
    BlockingQueue<JsonObject> defects = new LinkedBlockingQueue<>();
    vertx.eventBus().<JsonObject>consumer(InspectionApp.DEFECTS, m -> defects.add(m.body()));
    String id = TestServer.await(vertx.deployVerticle(new InspectionApp("simple", 0.5f)));
    JsonObject good = new JsonObject().put("values", new JsonArray("[0.1,0,0,0]"));
    JsonObject bad = new JsonObject().put("values", new JsonArray("[0.9,0,0,0]"));
    assertThat(ask(vertx, good).getBoolean("defect")).isFalse();
    assertThat(ask(vertx, bad).getBoolean("defect")).isTrue();
    assertThat(next(defects).getFloat("score")).isEqualTo(0.9f);
    TestServer.await(vertx.undeploy(id));
  }

  private static JsonObject ask(Vertx vertx, JsonObject measurement) {
    return TestServer.await(
            vertx.eventBus().<JsonObject>request(InspectionApp.MEASUREMENTS, measurement))
        .body();
  }

  private static JsonObject next(BlockingQueue<JsonObject> events) throws InterruptedException {
    JsonObject event = events.poll(60, TimeUnit.SECONDS);
    assertThat(event).isNotNull();
    return event;
  }

  private static Future<Message<Object>> send(Object body) {
    return send(body, new DeliveryOptions());
  }

  /** Returns a future that has ended. */
  private static Future<Message<Object>> send(Object body, DeliveryOptions options) {
    Future<Message<Object>> sent = server.vertx().eventBus().request(ADDRESS, body, options);
    TestServer.await(sent.transform(done -> Future.succeededFuture()));
    return sent;
  }

  private static int failureCode(Future<?> ended) {
    assertThat(ended.failed()).isTrue();
    return ((ReplyException) ended.cause()).failureCode();
  }

  private static InferenceException failure(Future<?> future) {
    TestServer.await(future.transform(done -> Future.succeededFuture()));
    return (InferenceException) future.cause();
  }
}
