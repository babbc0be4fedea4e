package dev.conveyor.verticles.rollout;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.DataType;
import dev.conveyor.verticles.bus.BusAddresses;
import dev.conveyor.verticles.server.Gate;
import dev.conveyor.verticles.server.HttpCalls;
import dev.conveyor.verticles.server.HttpCalls.Answer;
import dev.conveyor.verticles.server.RawConnection;
import dev.conveyor.verticles.server.Requests;
import dev.conveyor.verticles.server.ServerCase;
import dev.conveyor.verticles.server.TestModels;
import io.vertx.core.json.JsonObject;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Predicate;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Versions that are tried on live requests, over HTTP. */
final class RolloutTest extends ServerCase {

  private static final int ENOUGH = 2000;

  private static final Map<String, CompletableFuture<JsonObject>> ROLLED_BACK =
      new ConcurrentHashMap<>();

  @BeforeAll
  static void start() {
    TestModels models = new TestModels(dir).identity("plain", 2);
    pair(models, "differs", "Neg", "'shadow_share': 1, 'min_requests': 5, 'max_p99_ratio': 1e6");
    pair(models, "agrees", "Abs", "'shadow_share': 1, 'min_requests': 5, 'max_p99_ratio': 1e6");
    pair(models, "canary", "Neg", "'canary_share': 0.5, 'max_p99_ratio': 1e6");
    pair(models, "breaks", "Log", "'canary_share': 0.5, 'min_requests': 5, 'max_p99_ratio': 1e6");
    pair(models, "checked", "Neg", "'canary_share': 1, 'min_requests': 5, 'max_p99_ratio': 1e6");
    pair(models, "short", "Abs", "'shadow_share': 1, 'max_p99_ratio': 1e6");
    hanging(models, "held", "'shadow_share': 1, 'shadow_limit': 1");
    gated(models, "late", 1, "'shadow_share': 1");
    hanging(models, "hangs", "'shadow_share': 1, 'shadow_limit': 2");
    hanging(models, "blocks", "'canary_share': 1, 'min_requests': 5");
    hanging(models, "left", "'canary_share': 1");
    pair(models, "alone", "Neg", "'canary_share': 0.5");
    models.config(
        "alone", "{\"conveyor\": {\"rollout\": {\"candidate\": 2, \"canary_share\": 0.5}}}");
    serve(models);
    server
        .vertx()
        .eventBus()
        .<JsonObject>consumer(
            BusAddresses.events("conveyor"),
            message -> {
              if (message.body().getString("event").equals("rollout_rolled_back")) {
                told(message.body().getString("model")).complete(message.body());
              }
            });
  }

  /** Version 1 gives back what it gets; version 2 is on trial. */
  private static void pair(TestModels models, String name, String candidate, String rollout) {
    models.unary(name, 1, "Identity", DataType.FP32, "batch", 2);
    models.unary(name, 2, candidate, DataType.FP32, "batch", 2);
    models.config(
        name,
        """
        {'version_policy': {'all': {}},
         'conveyor': {'reject_non_finite': true, 'rollout': {'candidate': 2, %s}}}"""
            .formatted(rollout)
            .replace('\'', '"'));
  }

  /** Version 2 gives the same, through a gate. */
  private static void hanging(TestModels models, String name, String rollout) {
    gated(models, name, 2, rollout);
  }

  /** Both versions give the same, one of them through a gate. */
  private static void gated(TestModels models, String name, int version, String rollout) {
    models.unary(name, 1, "Identity", DataType.FP32, "batch", 2);
    models.unary(name, 2, "Identity", DataType.FP32, "batch", 2);
    models.config(
        name,
        """
        {'version_policy': {'all': {}},
         'dynamic_batching': {'default_queue_policy': {'allow_timeout_override': true}},
         'parameters': {'test_gate': {'string_value': '%s'},
                        'test_gate_version': {'string_value': '%d'}},
         'conveyor': {'rollout': {'candidate': 2, 'max_p99_ratio': 1e6, %s}}}"""
            .formatted(name, version, rollout)
            .replace('\'', '"'));
  }

  private static CompletableFuture<JsonObject> told(String model) {
    return ROLLED_BACK.computeIfAbsent(model, name -> new CompletableFuture<>());
  }

  private static JsonObject rollout(String model) {
    return http.get("/v2/models/" + model + "/rollout").json();
  }

  private static Answer infer(String model, float... values) {
    return http.infer(model, Requests.row(values));
  }

  private static JsonObject rolloutOnce(String model, Predicate<JsonObject> wanted, float value) {
    for (int i = 0; i < ENOUGH; i++) {
      Answer answer = infer(model, value, value);
      assertThat(answer.status()).isEqualTo(200);
      assertThat(answer.json().getString("model_version")).isEqualTo("1");
      assertThat(answer.data().getDouble(0)).isEqualTo(value);
      JsonObject now = rollout(model);
      if (wanted.test(now)) {
        return now;
      }
    }
    throw new AssertionError("it stays at " + rollout(model));
  }

  @Test
  void shouldCompareCopiesWithoutTheClientSeeingAndStopWhenTheyDisagree() {
    JsonObject last =
        rolloutOnce("differs", now -> now.getString("state").equals("ROLLED_BACK"), 3);
    assertThat(last.getString("reason")).contains("agreement 0.0000").contains("min_agreement");
    JsonObject event = told("differs").join();
    assertThat(event.getString("version")).isEqualTo("2");
    assertThat(event.getString("reason")).isEqualTo(last.getString("reason"));

    long copies = last.getLong("shadow_requests");
    assertThat(infer("differs", 3, 3).status()).isEqualTo(200);
    assertThat(rollout("differs").getLong("shadow_requests")).isEqualTo(copies);
  }

  @Test
  void shouldForgetWhatWaitsForTheCandidateWhenItsClientGoesAway() throws Exception {
    CompletableFuture<Answer> running;
    try (Gate gate = Gate.shut("left")) {
      running = http.inferAsync("left", Requests.row(3, 3), new byte[0]);
      gate.awaitArrival();
      RawConnection client = new RawConnection(server.httpPort());
      client.send(Requests.head(2, "left", "")).send(Requests.wholeBody(2));
      server.awaitQueued("left", 1);
      client.reset();
      server.awaitQueued("left", 0);
    }
    assertThat(running.join().json().getString("model_version")).isEqualTo("2");
  }

  @Test
  void shouldGoOnWhileCopiesAgreeAndCountThem() {
    JsonObject last = rolloutOnce("agrees", now -> now.getLong("compared") >= 20, 3);
    assertThat(last.getString("state")).isEqualTo("ACTIVE");
    assertThat(last.getDouble("agreement")).isEqualTo(1);
    assertThat(last.getJsonObject("candidate").getInteger("outcomes")).isGreaterThanOrEqualTo(20);
    assertThat(last.getJsonObject("stable").getString("version")).isEqualTo("1");
    String metrics = new HttpCalls(server.server().metricsPort()).get("/metrics").text();
    assertThat(metrics)
        .contains("conveyor_rollout_active{model=\"agrees\",version=\"2\"} 1")
        .containsPattern(
            "conveyor_rollout_requests_total\\{model=\"agrees\",version=\"2\",kind=\"shadow\"\\} [1-9]");
  }

  @Test
  void shouldHaveTheCandidateAnswerItsShareAndEveryRequestThatNamesIt() {
    int answered = 0;
    for (int i = 0; i < 40; i++) {
      Answer answer = infer("canary", 3, 3);
      boolean canary = answer.json().getString("model_version").equals("2");
      assertThat(answer.data().getDouble(0)).isEqualTo(canary ? -3 : 3);
      answered += canary ? 1 : 0;
    }
    assertThat(answered).isBetween(19, 21);
    assertThat(rollout("canary").getInteger("canary_requests")).isEqualTo(answered);
    Answer named = http.post("/v2/models/canary/versions/2/infer", Requests.row(3, 3).encode());
    assertThat(named.json().getString("model_version")).isEqualTo("2");
    assertThat(rollout("canary").getInteger("canary_requests")).isEqualTo(answered);
  }

  @Test
  void shouldTakeACanaryOutThatAnswersOtherwise() {
    for (int i = 0; i < ENOUGH && !told("checked").isDone(); i++) {
      assertThat(infer("checked", 3, 3).status()).isEqualTo(200);
    }
    assertThat(told("checked").join().getString("reason"))
        .contains("agreement 0.0000")
        .contains("min_agreement");
    assertThat(infer("checked", 3, 3).data().getDouble(0)).isEqualTo(3);
    assertThat(rollout("checked").getLong("shadow_requests")).isZero();
  }

  @Test
  void shouldServeOnWhileCopiesHangInTheCandidate() throws Exception {
    try (Gate gate = Gate.shut("hangs")) {
      for (int i = 0; i < 20; i++) {
        Answer answer = infer("hangs", 3, 3);
        assertThat(answer.status()).isEqualTo(200);
        assertThat(answer.json().getString("model_version")).isEqualTo("1");
      }
      gate.awaitArrival();
      JsonObject now = rollout("hangs");
      assertThat(now.getLong("shadow_requests")).as("as many as may be under way").isIn(1L, 2L);
      assertThat(now.getLong("shadow_requests") + now.getLong("shadow_requests_dropped"))
          .isEqualTo(20);
      assertThat(now.getString("state")).isEqualTo("ACTIVE");
    }
  }

  @Test
  void shouldCountWhatCopiesHoldAsMemoryOfRequests() throws Exception {
    try (Gate gate = Gate.shut("held")) {
      assertThat(infer("held", 3, 3).status()).isEqualTo(200);
      gate.awaitArrival();
      assertThat(server.server().requestMemory().leasedBytes())
          .as("two rows of two numbers: what was asked and what was answered")
          .isGreaterThanOrEqualTo(16);
    }
  }

  @Test
  void shouldDropCopiesAndNoClientWhenMemoryIsShort() {
    var memory = server.server().requestMemory();
    try (var most = memory.heapShare()) {
      assertThat(most.growTo(memory.maxBytes() / 2 + 1)).isTrue();
      for (int i = 0; i < 10; i++) {
        Answer answer = infer("short", 3, 3);
        assertThat(answer.status()).isEqualTo(200);
        assertThat(answer.json().getString("model_version")).isEqualTo("1");
      }
      JsonObject now = rollout("short");
      assertThat(now.getLong("shadow_requests")).isZero();
      assertThat(now.getLong("shadow_requests_dropped")).isEqualTo(10);
    }
    rolloutOnce("short", now -> now.getLong("compared") > 0, 3);
  }

  @Test
  void shouldDropACopyWhenMemoryIsShortByTheTimeItIsSent() throws Exception {
    var memory = server.server().requestMemory();
    try (var most = memory.heapShare()) {
      CompletableFuture<Answer> client;
      try (Gate gate = Gate.shut("late")) {
        client = http.inferAsync("late", Requests.row(3, 3), new byte[0]);
        gate.awaitArrival();
        assertThat(most.growTo(memory.maxBytes() / 2 + 1)).isTrue();
      }
      assertThat(client.join().status()).isEqualTo(200);
      JsonObject now = rollout("late");
      for (int i = 0; i < ENOUGH && now.getLong("shadow_requests_dropped") == 0; i++) {
        now = rollout("late");
      }
      assertThat(now.getLong("shadow_requests_dropped")).isEqualTo(1);
      assertThat(now.getJsonObject("candidate").getInteger("outcomes")).isZero();
    }
  }

  @Test
  void shouldTakeACanaryOutThatHangs() throws Exception {
    JsonObject impatient =
        Requests.row(3, 3).put("parameters", new JsonObject().put("timeout", 50_000));
    CompletableFuture<Answer> stuck;
    try (Gate gate = Gate.shut("blocks")) {
      stuck = http.inferAsync("blocks", Requests.row(3, 3), new byte[0]);
      gate.awaitArrival();
      for (int i = 0; i < ENOUGH && !told("blocks").isDone(); i++) {
        assertThat(http.infer("blocks", impatient).status()).isIn(200, 504);
      }
      assertThat(told("blocks").join().getString("reason")).contains("error rate 1.0000");
      Answer answer = infer("blocks", 3, 3);
      assertThat(answer.status()).isEqualTo(200);
      assertThat(answer.json().getString("model_version")).isEqualTo("1");
    }
    assertThat(stuck.join().status()).isEqualTo(200);
  }

  @Test
  void shouldTakeACandidateOutThatFailsAndServeEverythingWithTheOther() {
    for (int i = 0; i < ENOUGH && !told("breaks").isDone(); i++) {
      Answer answer = infer("breaks", -1, -1);
      assertThat(answer.status()).isIn(200, 500);
    }
    assertThat(told("breaks").join().getString("reason")).contains("error rate");
    for (int i = 0; i < 10; i++) {
      Answer answer = infer("breaks", -1, -1);
      assertThat(answer.status()).isEqualTo(200);
      assertThat(answer.json().getString("model_version")).isEqualTo("1");
    }
    assertThat(rollout("breaks").getString("state")).isEqualTo("ROLLED_BACK");
  }

  @Test
  void shouldBeginAnewWhenTheModelIsLoadedAgain() {
    rolloutOnce("differs", now -> now.getString("state").equals("ROLLED_BACK"), 3);
    assertThat(http.post("/v2/repository/models/differs/load", "{}").status()).isEqualTo(200);
    assertThat(rollout("differs").getString("state")).isEqualTo("ACTIVE");
  }

  @Test
  void shouldRefuseACandidateThatIsNotServedBesideAnother() {
    Answer answer = http.post("/v2/repository/models/alone/load", "{}");
    assertThat(answer.status()).isNotEqualTo(200);
    assertThat(answer.error()).contains("conveyor.rollout.candidate").contains("[2]");
  }

  @Test
  void shouldSayThatNothingIsTried() {
    Answer answer = http.get("/v2/models/plain/rollout");
    assertThat(answer.status()).isEqualTo(404);
    assertThat(answer.error()).contains("no conveyor.rollout");
    assertThat(http.get("/v2/models/nothing/rollout").status()).isEqualTo(404);
  }
}
