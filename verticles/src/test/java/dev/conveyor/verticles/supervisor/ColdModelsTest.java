package dev.conveyor.verticles.supervisor;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.models.DataType;
import dev.conveyor.verticles.ModelOverride;
import dev.conveyor.verticles.RepositoryControl;
import dev.conveyor.verticles.server.Gate;
import dev.conveyor.verticles.server.HttpCalls;
import dev.conveyor.verticles.server.HttpCalls.Answer;
import dev.conveyor.verticles.server.RawConnection;
import dev.conveyor.verticles.server.Requests;
import dev.conveyor.verticles.server.TestModels;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.Future;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Models that are not in memory before somebody asks for them. */
final class ColdModelsTest {

  /** So wide that the slabs for 32 rows in and out hold 2 MiB. */
  private static final int WIDTH = 8192;

  private static final int TWO_FIT_BYTES = 5 << 20;
  private static final String ON_DEMAND = "{\"conveyor\": {\"residency\": \"on_demand\"}}";
  private static final String GATED =
      "{\"parameters\": {\"test_gate\": {\"string_value\": \"cold\"}},"
          + " \"conveyor\": {\"residency\": \"on_demand\"}}";

  @TempDir private Path dir;

  @Test
  void shouldTellTheTruthAboutAColdModelAndLoadItForTheFirstRequest() {
    TestModels models = new TestModels(dir).identity("cold", 4).config("cold", ON_DEMAND);
    try (TestServer server = TestServer.start(models)) {
      HttpCalls http = server.http();
      assertThat(http.get("/v2/health/ready").status()).isEqualTo(200);
      assertThat(server.server().budget().holders()).isEmpty();
      JsonObject entry = entry(http, "cold");
      assertThat(entry.getString("state")).isEqualTo("UNAVAILABLE");
      assertThat(entry.getString("reason")).isEqualTo("cold: loads on the first request");
      assertThat(entry.getString("version")).isEqualTo("1");
      assertThat(http.get("/v2/models/cold/ready").status()).as("it takes requests").isEqualTo(200);
      JsonObject cold = http.get("/v2/models/cold").json();
      JsonObject config = http.get("/v2/models/cold/config").json();
      assertThat(config.getJsonObject("conveyor").getString("residency")).isEqualTo("on_demand");
      assertThat(line(http, "cold").getString("state")).isEqualTo("COLD");

      assertThat(http.infer("cold", Requests.row(1, 2, 3, 4)).data().encode())
          .isEqualTo("[1.0,2.0,3.0,4.0]");

      assertThat(entry(http, "cold").getString("state")).isEqualTo("READY");
      assertThat(http.get("/v2/models/cold").json()).isEqualTo(cold);
      JsonObject line = line(http, "cold");
      assertThat(line.getString("state")).isEqualTo("RESIDENT");
      assertThat(line.getJsonObject("by_kind").getLong("slabs")).isEqualTo(2 * 32 * 4 * 4);
      assertThat(line.getLong("held_bytes"))
          .isEqualTo(server.server().budget().reservedBytes())
          .isEqualTo(line.getLong("expected_bytes"));
      server.assertIdle();
    }
  }

  @Test
  void shouldServeMoreModelsThanFitInTurn() {
    TestModels models = new TestModels(dir);
    for (String name : List.of("a", "b", "c")) {
      models.identity(name, WIDTH).config(name, ON_DEMAND);
    }
    try (TestServer server = TestServer.start(models, budget(TWO_FIT_BYTES))) {
      HttpCalls http = server.http();
      MemoryBudget budget = server.server().budget();
      for (int round = 0; round < 2; round++) {
        for (String name : List.of("a", "b", "c")) {
          byte[] data = Requests.counting(round, WIDTH);
          Answer answer = http.infer(name, Requests.binary(WIDTH, "INPUT0"), data);
          assertThat(answer.status()).as(answer::text).isEqualTo(200);
          assertThat(answer.binary()).isEqualTo(data);
          assertThat(budget.reservedBytes()).isLessThanOrEqualTo(TWO_FIT_BYTES);
        }
      }
      JsonObject device = device(http);
      // Which one of two is evicted depends on how long their loads took.
      assertThat(device.getInteger("cold_starts")).isBetween(4, 6);
      assertThat(device.getInteger("evictions")).isEqualTo(device.getInteger("cold_starts") - 2);
      assertThat(sum(server, "conveyor_cold_requests_total"))
          .isEqualTo(device.getInteger("cold_starts"));
      assertThat(sum(server, "conveyor_model_evictions_total"))
          .isEqualTo(device.getInteger("evictions"));
      JsonObject stats = http.get("/v2/models/a/stats").json();
      assertThat(stats.getJsonArray("model_stats").getJsonObject(0).getInteger("inference_count"))
          .as("counters go on from load to load")
          .isEqualTo(2);
      server.assertIdle();
    }
  }

  @Test
  void shouldEvictNobodyForAModelThatIsLargerThanItsOwnLimit() {
    TestModels models = new TestModels(dir);
    for (String name : List.of("a", "b", "own")) {
      models.identity(name, WIDTH).config(name, ON_DEMAND);
    }
    models.config(
        "own", "{\"conveyor\": {\"residency\": \"on_demand\", \"memory_limit_bytes\": 100000}}");
    try (TestServer server = TestServer.start(models, budget(TWO_FIT_BYTES))) {
      HttpCalls http = server.http();
      byte[] data = Requests.counting(1, WIDTH);
      for (String name : List.of("a", "b")) {
        assertThat(http.infer(name, Requests.binary(WIDTH, "INPUT0"), data).status())
            .isEqualTo(200);
      }
      http.post("/v2/repository/models/b/unload", "");
      Answer refused = http.infer("own", Requests.binary(WIDTH, "INPUT0"), data);
      assertThat(refused.status()).isEqualTo(503);
      assertThat(refused.error()).contains("model 'own' on CPU");
      assertThat(refused.header("Retry-After")).isNotNull();
      assertThat(device(http).getInteger("evictions")).isZero();
      assertThat(line(http, "a").getString("state")).isEqualTo("RESIDENT");
      server.assertIdle();
    }
  }

  @Test
  void shouldMakeRoomForOthersAndReturnInputsWhenAClientWaitsNoLonger() throws Exception {
    JsonObject one = new JsonObject().put("max_queue_size", 1);
    JsonObject config = new JsonObject(GATED);
    config.put("dynamic_batching", new JsonObject().put("default_queue_policy", one));
    TestModels models = new TestModels(dir).identity("cold", WIDTH).config("cold", config.encode());
    try (TestServer server = TestServer.start(models)) {
      JsonObject head = Requests.binary(WIDTH, "INPUT0");
      byte[] data = Requests.counting(1, WIDTH);
      CompletableFuture<Answer> patient;
      try (Gate gate = Gate.shut("cold");
          RawConnection first = new RawConnection(server.httpPort())) {
        first.send(infer(head, data));
        gate.awaitArrival();
        assertThat(server.http().infer("cold", head, data).error()).contains("1 requests wait");
        first.close();
        TestServer.awaitThat(() -> server.server().requestMemory().leasedBytes() == 0);
        patient = server.http().inferAsync("cold", head, data);
        CompletableFuture<Answer> waiting = patient;
        TestServer.awaitThat(
            () -> server.server().requestMemory().leasedBytes() > 0 || waiting.isDone());
      }
      assertThat(patient.get(60, TimeUnit.SECONDS).binary()).isEqualTo(data);
      server.assertIdle();
    }
  }

  @Test
  void shouldTellThoseWhoWaitWhenTheServerStops() throws Exception {
    TestModels models = new TestModels(dir).identity("cold", 4).config("cold", GATED);
    TestServer server = TestServer.start(models, new JsonObject().put("shutdown_grace_ms", 5000));
    try (Gate gate = Gate.shut("cold")) {
      CompletableFuture<Answer> waiting =
          server.http().inferAsync("cold", Requests.row(1, 2, 3, 4), new byte[0]);
      gate.awaitArrival();
      Future<Void> stopped = server.server().stop();
      Answer answer = waiting.get(60, TimeUnit.SECONDS);
      assertThat(answer.status()).isEqualTo(503);
      assertThat(answer.error()).contains("shutting down");
      gate.open();
      TestServer.await(stopped);
    }
    TestServer.await(server.vertx().close());
  }

  private static byte[] infer(JsonObject head, byte[] data) {
    byte[] json = head.toBuffer().getBytes();
    return Buffer.buffer(
            "POST /v2/models/cold/infer HTTP/1.1\r\nHost: x\r\n"
                + "Inference-Header-Content-Length: %d\r\nContent-Length: %d\r\n\r\n"
                    .formatted(json.length, json.length + data.length))
        .appendBytes(json)
        .appendBytes(data)
        .getBytes();
  }

  @Test
  void shouldLoadOnceForAllThatWait() throws Exception {
    TestModels models = new TestModels(dir).identity("cold", 4).config("cold", GATED);
    try (TestServer server = TestServer.start(models)) {
      List<CompletableFuture<Answer>> answers = new ArrayList<>();
      try (Gate gate = Gate.shut("cold")) {
        for (int i = 0; i < 6; i++) {
          answers.add(server.http().inferAsync("cold", Requests.row(i, 2, 3, 4), new byte[0]));
        }
        gate.awaitArrival(); // its warm-up
        assertThat(entry(server.http(), "cold").getString("state")).isEqualTo("LOADING");
      }
      for (int i = 0; i < answers.size(); i++) {
        Answer answer = answers.get(i).get(60, TimeUnit.SECONDS);
        assertThat(answer.status()).as(answer::text).isEqualTo(200);
        assertThat(answer.data().getFloat(0)).isEqualTo(i);
      }
      assertThat(device(server.http()).getInteger("cold_starts")).isEqualTo(1);
      server.assertIdle();
    }
  }

  @Test
  void shouldSayWhyAModelCannotBeLoadedAndNotTryAgainAtOnce() {
    TestModels models = new TestModels(dir).unary("bad", 1, "NoSuchOp", DataType.FP32, "batch", 4);
    models.config("bad", ON_DEMAND).identity("good", 4);
    try (TestServer server = TestServer.start(models)) {
      HttpCalls http = server.http();
      assertThat(http.get("/v2/models/bad/ready").status()).isEqualTo(200);
      Answer first = http.infer("bad", Requests.row(1, 2, 3, 4));
      assertThat(first.status()).isEqualTo(503);
      assertThat(first.error()).contains("NoSuchOp");
      Answer second = http.infer("bad", Requests.row(1, 2, 3, 4));
      assertThat(second.status()).isEqualTo(503);
      assertThat(second.error()).contains("its last load failed").contains("NoSuchOp");
      assertThat(http.get("/v2/models/bad/ready").status()).isEqualTo(503);
      assertThat(entry(http, "bad").getString("reason")).contains("NoSuchOp");
      assertThat(device(http).getInteger("cold_starts")).isEqualTo(1);
      assertThat(http.infer("good", Requests.row(1, 2, 3, 4)).status()).isEqualTo(200);
      server.assertIdle();
    }
  }

  @Test
  void shouldCarryOnWhenTheClientHangsUpWhileItsModelLoads() throws Exception {
    TestModels models = new TestModels(dir).identity("cold", WIDTH).config("cold", GATED);
    try (TestServer server = TestServer.start(models)) {
      JsonObject head = Requests.binary(WIDTH, "INPUT0");
      byte[] data = Requests.counting(1, WIDTH);
      try (Gate gate = Gate.shut("cold")) {
        CompletableFuture<Answer> given = server.http().inferAsync("cold", head, data);
        gate.awaitArrival();
        given.cancel(true);
      }
      assertThat(server.http().infer("cold", head, data).binary()).isEqualTo(data);
      server.assertIdle();
    }
  }

  @Test
  void shouldAnswerThoseWhoWaitBeforeAnUnloadThatCameLater() throws Exception {
    TestModels models = new TestModels(dir).identity("cold", 4).config("cold", GATED);
    try (TestServer server = TestServer.start(models)) {
      CompletableFuture<Answer> waiting;
      Future<Void> unloaded;
      try (Gate gate = Gate.shut("cold")) {
        waiting = server.http().inferAsync("cold", Requests.row(1, 2, 3, 4), new byte[0]);
        gate.awaitArrival();
        unloaded = server.server().repository().unload("cold");
      }
      TestServer.await(unloaded);
      int status = waiting.get(60, TimeUnit.SECONDS).status();
      assertThat(status).isIn(200, 503); // the unload may overtake the way to the queue
      assertThat(server.http().infer("cold", Requests.row(1, 2, 3, 4)).error())
          .contains("unloaded");
      assertThat(server.server().budget().holders()).isEmpty();
      assertThat(server.http().post("/v2/repository/models/cold/load", "").status()).isEqualTo(200);
      assertThat(server.http().infer("cold", Requests.row(1, 2, 3, 4)).status()).isEqualTo(200);
      server.assertIdle();
    }
  }

  @Test
  void shouldNotBringAModelBackForARequestThatCameAfterItsUnload() throws Exception {
    TestModels models = new TestModels(dir).identity("cold", 4).config("cold", GATED);
    try (TestServer server = TestServer.start(models)) {
      RepositoryControl repository = server.server().repository();
      Future<Void> unloaded;
      CompletableFuture<Answer> late;
      try (Gate gate = Gate.shut("cold")) {
        Future<Void> unused = repository.load("cold", new ModelOverride(null, Map.of()));
        gate.awaitArrival(); // its warm-up
        unloaded = repository.unload("cold", false);
        late = server.http().inferAsync("cold", Requests.row(1, 2, 3, 4), new byte[0]);
        TestServer.awaitThat(() -> device(server.http()).getInteger("cold_starts") == 1);
      }
      TestServer.await(unloaded);
      Answer refused = late.get(60, TimeUnit.SECONDS);
      assertThat(refused.status()).isEqualTo(503);
      assertThat(refused.error()).contains("'cold' is not ready: unloaded");
      assertThat(entry(server.http(), "cold").getString("reason")).isEqualTo("unloaded");
      assertThat(server.server().budget().holders()).isEmpty();
      server.assertIdle();
    }
  }

  @Test
  void shouldRefuseWithTheNumbersWhatDoesNotFitBesideThePinned() {
    TestModels models = new TestModels(dir).identity("pinned", WIDTH);
    models.identity("large", 2 * WIDTH).config("large", ON_DEMAND);
    try (TestServer server = TestServer.start(models, budget(TWO_FIT_BYTES))) {
      HttpCalls http = server.http();
      byte[] data = Requests.counting(1, 2 * WIDTH);
      Answer refused = http.infer("large", Requests.binary(2 * WIDTH, "INPUT0"), data);
      assertThat(refused.status()).isEqualTo(503);
      assertThat(refused.error())
          .contains("does not fit into the memory of CPU")
          .contains("the budget is " + TWO_FIT_BYTES)
          .contains("pinned/1/slabs=2097152");
      byte[] small = Requests.counting(1, WIDTH);
      assertThat(http.infer("pinned", Requests.binary(WIDTH, "INPUT0"), small).binary())
          .isEqualTo(small);
      server.assertIdle();
    }
  }

  @Test
  void shouldEvictForAnOperatorsLoadAndComeBackOnRequest() {
    TestModels models = new TestModels(dir);
    for (String name : List.of("a", "b", "c")) {
      models.identity(name, WIDTH);
      models.config(name, "{\"conveyor\": {\"residency\": \"resident\"}}");
    }
    try (TestServer server = TestServer.start(models, budget(TWO_FIT_BYTES))) {
      HttpCalls http = server.http();
      List<String> names = List.of("a", "b", "c");
      assertThat(names.stream().filter(name -> isReady(http, name))).hasSize(2);
      String left = names.stream().filter(name -> !isReady(http, name)).findFirst().orElseThrow();
      assertThat(http.post("/v2/repository/models/" + left + "/load", "").status()).isEqualTo(200);
      assertThat(isReady(http, left)).isTrue();
      assertThat(names.stream().filter(name -> isReady(http, name))).hasSize(2);
      String gone = names.stream().filter(name -> !isReady(http, name)).findFirst().orElseThrow();
      byte[] data = Requests.counting(1, WIDTH);
      assertThat(http.infer(gone, Requests.binary(WIDTH, "INPUT0"), data).binary()).isEqualTo(data);
      server.assertIdle();
    }
  }

  @Test
  void shouldHoldAModelToItsOwnLimit() {
    TestModels models = new TestModels(dir).identity("greedy", WIDTH);
    models.config("greedy", "{\"conveyor\": {\"memory_limit_bytes\": 1000000}}");
    try (TestServer server = TestServer.start(models)) {
      assertThat(entry(server.http(), "greedy").getString("reason"))
          .contains("on model 'greedy' on CPU")
          .contains("of 1000000 are free");
      assertThat(server.server().budget().holders()).isEmpty();
    }
  }

  /** Returns the sum of a counter over all models. */
  private static int sum(TestServer server, String counter) {
    return new HttpCalls(server.server().metricsPort())
        .get("/metrics")
        .text()
        .lines()
        .filter(line -> line.startsWith(counter + "{"))
        .mapToInt(line -> (int) Double.parseDouble(line.substring(line.lastIndexOf(' '))))
        .sum();
  }

  private static JsonObject budget(long bytes) {
    return new JsonObject()
        .put(
            "devices",
            new JsonObject().put("cpu", new JsonObject().put("memory_budget_bytes", bytes)));
  }

  private static boolean isReady(HttpCalls http, String model) {
    return entry(http, model).getString("state").equals("READY");
  }

  private static JsonObject entry(HttpCalls http, String model) {
    return new JsonArray(http.post("/v2/repository/index", "").text())
        .stream()
            .map(JsonObject.class::cast)
            .filter(entry -> entry.getString("name").equals(model))
            .findFirst()
            .orElseThrow();
  }

  private static JsonObject device(HttpCalls http) {
    return http.get("/v2/memory").json().getJsonArray("devices").getJsonObject(0);
  }

  private static JsonObject line(HttpCalls http, String model) {
    return device(http).getJsonArray("models").stream()
        .map(JsonObject.class::cast)
        .filter(line -> line.getString("name").equals(model))
        .findFirst()
        .orElseThrow();
  }
}
