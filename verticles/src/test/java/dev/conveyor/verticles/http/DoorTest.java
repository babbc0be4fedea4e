package dev.conveyor.verticles.http;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.RefusalReason;
import dev.conveyor.scheduler.admission.LoadCell;
import dev.conveyor.scheduler.admission.ModelLoad;
import dev.conveyor.verticles.server.Gate;
import dev.conveyor.verticles.server.HttpCalls.Answer;
import dev.conveyor.verticles.server.RawConnection;
import dev.conveyor.verticles.server.Requests;
import dev.conveyor.verticles.server.ServerCase;
import dev.conveyor.verticles.server.TestModels;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.json.JsonObject;
import java.io.IOException;
import java.net.http.HttpRequest;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Who is let in, and what those are told who are not, before they send anything large. */
final class DoorTest extends ServerCase {

  /** An image of 224 x 224 x 3 floats: 602,112 bytes. */
  private static final int WIDTH = 224 * 224 * 3;

  private static final long SECOND_NS = 1_000_000_000;
  private static final int REQUEST_MEMORY = 4 << 20;
  private static final String LIVE = "GET /v2/health/live HTTP/1.1\r\nhost: x\r\n\r\n";
  private static final byte[] NONE = new byte[0];

  @BeforeAll
  static void start() {
    TestModels models =
        new TestModels(dir)
            .identity("gated", WIDTH)
            .identity("wide", WIDTH)
            .identity("simple", 4)
            .identity("texts", 4)
            .identity("rationed", 4)
            .identity("scarce", 4)
            .identity("scarcer", 4);
    for (String name : List.of("scarce", "scarcer")) {
      models.config(
          name,
          """
          {"conveyor": {"admission": {"quota": {"requests_per_second": 0.001, "burst": 1}}}}""");
    }
    models.config(
        "gated",
        """
        {"max_batch_size": 1, "parameters": {"test_gate": {"string_value": "gated"}},
         "dynamic_batching": {"default_queue_policy": {"max_queue_size": 1}}}""");
    models.config(
        "rationed",
        """
        {"conveyor": {"admission": {"quota": {"requests_per_second": 0.001, "burst": 2}}}}""");
    JsonObject quota = new JsonObject().put("requests_per_second", 0.001).put("burst", 1);
    JsonObject limited = new JsonObject().put("quota", quota);
    serve(
        models,
        new JsonObject()
            .put(
                "limits",
                new JsonObject()
                    .put("max_message_bytes", 2 << 20)
                    .put("request_memory_bytes", REQUEST_MEMORY))
            .put(
                "tenants",
                new JsonObject()
                    .put(
                        "named",
                        new JsonObject()
                            .put("by-header", limited)
                            .put("by-parameter", limited)
                            .put("one", limited)
                            .put("two", limited))));
  }

  @Test
  void shouldRefuseBeforeTheBodyIsSentAndKeepTheConnection() throws Exception {
    List<CompletableFuture<Answer>> taken = new ArrayList<>();
    try (Gate gate = Gate.shut("gated");
        RawConnection client = new RawConnection(server.httpPort())) {
      fillQueue(gate, taken);
      long before = refusals("gated", RefusalReason.QUEUE_FULL);

      client.send(Requests.head(WIDTH, "gated", ""));
      assertThat(client.statusLine()).isEqualTo("HTTP/1.1 503 Service Unavailable");
      JsonObject refused = Buffer.buffer(client.answer()).toJsonObject();
      assertThat(refused.getString("error")).contains("exceeds maximum queue size");
      assertThat(refused.getString("reason")).isEqualTo("queue_full");
      assertThat(refused.getDouble("retry_after_ms")).isNotNegative();
      assertThat(refusals("gated", RefusalReason.QUEUE_FULL)).isEqualTo(before + 1);

      client.send(Requests.wholeBody(WIDTH)).send(LIVE);
      assertThat(client.statusLine()).as("the same connection").isEqualTo("HTTP/1.1 200 OK");
    }
    for (CompletableFuture<Answer> answer : taken) {
      assertThat(answer.get(60, TimeUnit.SECONDS).status()).isEqualTo(200);
    }
  }

  @Test
  void shouldAnswerWhoAsksFirstWithTheRefusalAndNotWithContinue() throws Exception {
    List<CompletableFuture<Answer>> taken = new ArrayList<>();
    try (Gate gate = Gate.shut("gated");
        RawConnection client = new RawConnection(server.httpPort())) {
      fillQueue(gate, taken);
      client.send(Requests.head(WIDTH, "gated", "expect: 100-continue\r\n"));
      assertThat(client.statusLine()).startsWith("HTTP/1.1 503 ");
      String rest = client.rest();

      assertThat(rest).doesNotContain("100 Continue");
      assertThat(rest.toLowerCase(java.util.Locale.ROOT))
          .contains("connection: close", "retry-after: 1");
    }
    for (CompletableFuture<Answer> answer : taken) {
      assertThat(answer.get(60, TimeUnit.SECONDS).status()).isEqualTo(200);
    }
  }

  @Test
  void shouldTellWhoAsksFirstToGoOn() throws IOException {
    try (RawConnection client = new RawConnection(server.httpPort())) {
      client.send(Requests.head(WIDTH, "wide", "expect: 100-continue\r\n"));
      assertThat(client.statusLine()).isEqualTo("HTTP/1.1 100 Continue");
      assertThat(client.statusLine()).isEmpty();
      client.send(Requests.wholeBody(WIDTH));
      assertThat(client.statusLine()).isEqualTo("HTTP/1.1 200 OK");
      client.answer();
    }
  }

  @Test
  void shouldRefuseADeadlineThatCannotBeMetAndSayWhenToComeAgain() {
    LoadCell load = door("simple");
    // One batch that ends in a minute; a run takes a millisecond.
    ModelLoad busy =
        new ModelLoad(
            0,
            0,
            0,
            1,
            false,
            0,
            new ModelLoad.Speed(1, 1, 1_000_000, 1_000_000),
            System.nanoTime() + 60 * SECOND_NS,
            0,
            0);
    load.set(busy);
    Answer late = http.send(simple("x-timeout-ms", "100"));
    assertThat(late.status()).as(late::text).isEqualTo(503);
    assertThat(late.json().getString("reason")).isEqualTo("deadline");
    assertThat(late.json().getDouble("retry_after_ms")).isBetween(1.0, 60_000.0);
    assertThat(Integer.parseInt(late.header("Retry-After"))).isBetween(1, 60);
    assertThat(late.error()).contains("too late");

    load.set(busy);
    assertThat(http.send(simple("x-timeout-ms", "600000")).status()).isEqualTo(200);
    load.set(busy);
    assertThat(http.send(simple("x-other", "none")).status()).as("no deadline").isEqualTo(200);
  }

  @Test
  void shouldWeighTensorsAsTheQueueDoesAndNotTheTextAroundThem() {
    byte[] row = Requests.counting(1, 4);
    JsonObject binary = Requests.binary(4, "INPUT0");
    holdBytes("simple", 85);
    Answer full = http.infer("simple", binary, row);
    assertThat(full.status()).as(full::text).isEqualTo(503);
    assertThat(full.json().getString("reason")).isEqualTo("queue_bytes");
    holdBytes("simple", 84);
    assertThat(http.infer("simple", binary, row).status()).as("it fills the queue").isEqualTo(200);

    // As JSON they are longer than there is room, which says nothing.
    holdBytes("texts", 84);
    assertThat(http.infer("texts", Requests.row(1, 2, 3, 4)).status()).isEqualTo(200);
  }

  /** Of 100 bytes that may wait so many do. */
  private static void holdBytes(String model, long bytes) {
    ModelLoad.Speed speed = new ModelLoad.Speed(1, 1, 1_000_000, 1_000_000);
    door(model).set(new ModelLoad(1, 1, bytes, 1, false, 100, speed, System.nanoTime(), 0, 0));
  }

  @ParameterizedTest
  @ValueSource(strings = {"0", "-1", "soon", "1.5", ""})
  void shouldRefuseTimeoutsThatAreNone(String timeout) {
    Answer answer = http.send(simple("x-timeout-ms", timeout));
    assertThat(answer.status()).isEqualTo(400);
    assertThat(answer.error()).contains("x-timeout-ms", "'" + timeout + "'");
  }

  @Test
  void shouldHoldTenantsToTheirQuotas() {
    assertThat(http.send(simple("x-tenant", "by-header")).status()).isEqualTo(200);
    Answer over = http.send(simple("x-tenant", "by-header"));
    assertThat(over.status()).isEqualTo(429);
    assertThat(over.json().getString("reason")).isEqualTo("tenant_quota");
    assertThat(Integer.parseInt(over.header("Retry-After"))).isBetween(900, 1000);
    assertThat(over.error()).contains("tenant 'by-header'");
    assertThat(http.send(simple("x-tenant", "another")).status()).isEqualTo(200);

    JsonObject named =
        Requests.row(1, 2, 3, 4).put("parameters", new JsonObject().put("tenant", "by-parameter"));
    assertThat(http.infer("simple", named).status()).isEqualTo(200);
    assertThat(http.infer("simple", named).status()).isEqualTo(429);
    assertThat(http.send(simple("x-tenant", "n".repeat(129))).status()).isEqualTo(400);
  }

  @Test
  void shouldHoldTheClientsOfAModelToItsQuota() {
    for (int i = 0; i < 2; i++) {
      assertThat(http.infer("rationed", Requests.row(1, 2, 3, 4)).status()).isEqualTo(200);
    }
    Answer over = http.infer("rationed", Requests.row(1, 2, 3, 4));
    assertThat(over.status()).isEqualTo(429);
    assertThat(over.json().getString("reason")).isEqualTo("model_quota");
    assertThat(refusals("rationed", RefusalReason.MODEL_QUOTA)).isEqualTo(1);
  }

  @Test
  void shouldTakeFromNoQuotaWhatTheOtherRefuses() {
    assertThat(http.infer("scarce", Requests.row(1, 2, 3, 4)).status()).isEqualTo(200);
    Answer refused = http.send(infer("scarce", "x-tenant", "one"));
    assertThat(refused.json().getString("reason")).isEqualTo("model_quota");
    assertThat(http.send(simple("x-tenant", "one")).status())
        .as("the tenant's only one is left")
        .isEqualTo(200);

    JsonObject two =
        Requests.row(1, 2, 3, 4).put("parameters", new JsonObject().put("tenant", "two"));
    assertThat(http.infer("simple", two).status()).isEqualTo(200);
    assertThat(http.infer("scarcer", two).json().getString("reason")).isEqualTo("tenant_quota");
    assertThat(http.infer("scarcer", Requests.row(1, 2, 3, 4)).status())
        .as("the model's only one is left")
        .isEqualTo(200);
  }

  @Test
  void shouldNotReadALargeBodyWhileMemoryIsShort() throws Exception {
    var memory = server.server().requestMemory();
    CompletableFuture<Answer> waiting;
    try (var most = memory.heapShare()) {
      assertThat(most.growTo(REQUEST_MEMORY * 9L / 10)).isTrue();
      waiting =
          http.inferAsync("wide", Requests.binary(WIDTH, "INPUT0"), Requests.counting(1, WIDTH));
      TestServer.awaitThat(() -> memory.waiters() == 1);
      assertThat(memory.leasedBytes()).as("nothing was taken").isEqualTo(most.sizeBytes());
      assertThat(http.infer("simple", Requests.row(1, 2, 3, 4)).status())
          .as("small ones go on")
          .isEqualTo(200);
    }
    assertThat(waiting.get(60, TimeUnit.SECONDS).status()).isEqualTo(200);
    assertThat(memory.waiters()).isZero();
  }

  @Test
  void shouldKeepWhatOneModelHoldsFromStoppingTheLargeBodiesOfOthers() throws Exception {
    var stuck = server.server().requestMemory().shareOf("gated");
    CompletableFuture<Answer> waiting;
    try (var most = stuck.heapShare()) {
      assertThat(most.growTo(REQUEST_MEMORY * 6L / 10)).isTrue();
      waiting =
          http.inferAsync("gated", Requests.binary(WIDTH, "INPUT0"), Requests.counting(1, WIDTH));
      TestServer.awaitThat(() -> stuck.waiters() == 1);
      Answer other =
          http.infer("wide", Requests.binary(WIDTH, "INPUT0"), Requests.counting(2, WIDTH));
      assertThat(other.status()).as(other::text).isEqualTo(200);
      assertThat(stuck.heldBytes()).isEqualTo(most.sizeBytes());
    }
    assertThat(waiting.get(60, TimeUnit.SECONDS).status()).isEqualTo(200);
    TestServer.awaitThat(() -> stuck.heldBytes() == 0);
    assertThat(stuck.waiters()).isZero();
  }

  @Test
  void shouldReadOnAfterABodyThatWaitedForMemoryAndWasRefused() throws Exception {
    var memory = server.server().requestMemory();
    try (RawConnection client = new RawConnection(server.httpPort())) {
      // After a large body the server takes in the next one with a single read.
      client.send(Requests.head(WIDTH, "wide", "")).send(Requests.wholeBody(WIDTH));
      assertThat(client.statusLine()).isEqualTo("HTTP/1.1 200 OK");
      client.answer();
      TestServer.awaitThat(() -> memory.leasedBytes() == 0);
      byte[] noGzip = new byte[20_000];
      Buffer request =
          Buffer.buffer(
                  "POST /v2/models/wide/infer HTTP/1.1\r\nhost: x\r\ncontent-encoding: gzip\r\n"
                      + "content-length: "
                      + noGzip.length
                      + "\r\n\r\n")
              .appendBytes(noGzip);
      try (var most = memory.heapShare()) {
        assertThat(most.growTo(REQUEST_MEMORY * 9L / 10)).isTrue();
        client.send(request.getBytes());
        TestServer.awaitThat(() -> memory.waiters() == 1);
      }
      assertThat(client.statusLine()).startsWith("HTTP/1.1 400");
      client.answer();
      client.send(LIVE);
      assertThat(client.statusLine()).as("the same connection").isEqualTo("HTTP/1.1 200 OK");
    }
  }

  @Test
  void shouldCountLargeJsonBodiesAgainstTheSameMemory() {
    var memory = server.server().requestMemory();
    String large = Requests.row(new float[WIDTH]).encode();
    try (var most = memory.heapShare()) {
      assertThat(most.growTo(REQUEST_MEMORY * 8L / 10)).as("nobody waits yet").isTrue();
      String tooLarge = large + " ".repeat(1 << 20);
      Answer refused = http.post("/v2/models/wide/infer", tooLarge);
      assertThat(refused.status()).as(refused::text).isEqualTo(503);
      assertThat(refused.json().getString("reason")).isEqualTo("request_memory");
      assertThat(refusals("wide", RefusalReason.REQUEST_MEMORY)).isEqualTo(1);
    }
    assertThat(http.post("/v2/models/wide/infer", large).status()).isEqualTo(200);
  }

  private static void fillQueue(Gate gate, List<CompletableFuture<Answer>> taken)
      throws InterruptedException {
    JsonObject head = Requests.binary(WIDTH, "INPUT0");
    taken.add(http.inferAsync("gated", head, Requests.counting(1, WIDTH)));
    gate.awaitArrival();
    taken.add(http.inferAsync("gated", head, Requests.counting(2, WIDTH)));
    TestServer.awaitThat(() -> door("gated").get().full());
  }

  private static LoadCell door(String model) {
    return server.server().catalog().find(model, "").door().load();
  }

  private static long refusals(String model, RefusalReason reason) {
    return server.server().catalog().find(model, "").stats().refusals().get(reason);
  }

  private static HttpRequest simple(String header, String value) {
    return infer("simple", header, value);
  }

  private static HttpRequest infer(String model, String header, String value) {
    return http.inferRequest(model, Requests.row(1, 2, 3, 4), NONE).header(header, value).build();
  }
}
