package dev.conveyor.verticles.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Tensor;
import dev.conveyor.verticles.bus.InferenceClient;
import dev.conveyor.verticles.server.Gate;
import dev.conveyor.verticles.server.HttpCalls.Answer;
import dev.conveyor.verticles.server.Requests;
import dev.conveyor.verticles.server.ServerCase;
import dev.conveyor.verticles.server.TestModels;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What clients can ask of the scheduler, and what it tells about itself. */
final class SchedulingTest extends ServerCase {

  private static final byte[] NONE = new byte[0];

  @BeforeAll
  static void start() {
    TestModels models =
        new TestModels(dir).identity("levels", 4).identity("hasty", 4).identity("plain", 4);
    models.config(
        "levels",
        """
        {"max_batch_size": 1, "parameters": {"test_gate": {"string_value": "levels"}},
         "dynamic_batching": {"priority_levels": 2, "default_priority_level": 2,
           "priority_queue_policy": {"1": {"max_queue_size": 1}}}}""");
    models.config(
        "hasty",
        """
        {"max_batch_size": 4, "dynamic_batching": {},
         "conveyor": {"latency_objective_microseconds": 1}}""");
    serve(models);
  }

  @Test
  void shouldQueueARequestAtTheLevelItAsksForOverHttpAndTheBus() throws Exception {
    List<CompletableFuture<Answer>> taken = new ArrayList<>();
    try (Gate gate = Gate.shut("levels")) {
      taken.add(http.inferAsync("levels", Requests.row(1, 2, 3, 4), NONE));
      gate.awaitArrival();
      taken.add(http.inferAsync("levels", urgent(), NONE));
      server.awaitQueued("levels", 1);

      Answer refused = http.infer("levels", urgent());
      assertThat(refused.status()).isEqualTo(503);
      assertThat(refused.error()).contains("queue size 1");
      Tensor row = Requests.tensor("INPUT0", 1, 2, 3, 4);
      InferenceClient bus = InferenceClient.create(server.vertx());
      JsonObject parameters = new JsonObject().put("priority", 1);
      assertThatThrownBy(() -> TestServer.await(bus.infer("levels", "", List.of(row), parameters)))
          .cause()
          .isInstanceOf(InferenceException.class)
          .extracting("code")
          .isEqualTo(ErrorCode.QUEUE_FULL);

      taken.add(http.inferAsync("levels", Requests.row(5, 2, 3, 4), NONE));
      server.awaitQueued("levels", 2);
    }
    for (CompletableFuture<Answer> answer : taken) {
      assertThat(answer.get(60, TimeUnit.SECONDS).status()).isEqualTo(200);
    }
  }

  @Test
  void shouldRefuseWhatCannotMeetTheObjective() {
    Answer refused = http.infer("hasty", Requests.row(1, 2, 3, 4));

    assertThat(refused.status()).isEqualTo(503);
    assertThat(refused.error()).contains("'hasty'", "latency objective of 1 us");
    assertThat(refused.header("Retry-After")).isNotEmpty();
  }

  @Test
  void shouldTellWhatWasDecidedAndWhy() {
    assertThat(http.infer("plain", Requests.row(1, 2, 3, 4)).status()).isEqualTo(200);
    assertThat(http.infer("plain", Requests.row(1, 2, 3, 4)).status()).isEqualTo(200);

    Answer answer = http.get("/v2/scheduler/decisions?model=plain&limit=1");

    assertThat(answer.status()).as(answer::text).isEqualTo(200);
    assertThat(answer.json().getLong("taken")).isGreaterThanOrEqualTo(2);
    JsonArray decisions = answer.json().getJsonArray("decisions");
    assertThat(decisions).hasSize(1);
    JsonObject last = decisions.getJsonObject(0);
    assertThat(last.getString("kind")).isEqualTo("RUN");
    assertThat(last.getString("model")).isEqualTo("plain");
    assertThat(last.getString("version")).isEqualTo("1");
    assertThat(last.getInteger("batch_size")).isEqualTo(1);
    assertThat(last.getLong("age_microseconds")).isNotNegative();
    assertThat(last.getString("reason")).startsWith("batch of 1: ");
    JsonArray of =
        http.get("/v2/scheduler/decisions?model=nobody").json().getJsonArray("decisions");
    assertThat(of).isEmpty();
  }

  @Test
  void shouldTellOnlyDecisionsOfAKind() {
    assertThat(http.infer("plain", Requests.row(1, 2, 3, 4)).status()).isEqualTo(200);

    Answer runs = http.get("/v2/scheduler/decisions?model=plain&kind=RUN");
    assertThat(runs.json().getJsonArray("decisions")).isNotEmpty();
    Answer evictions = http.get("/v2/scheduler/decisions?model=plain&kind=EVICT");
    assertThat(evictions.json().getJsonArray("decisions")).isEmpty();
    Answer refused = http.get("/v2/scheduler/decisions?kind=run");
    assertThat(refused.status()).isEqualTo(400);
    assertThat(refused.error()).contains("'kind'", "RUN, DROP, WAIT", "'run'");
  }

  @ParameterizedTest
  @ValueSource(strings = {"0", "-1", "4097", "many", "99999999999"})
  void shouldRefuseALimitThatIsNone(String limit) {
    Answer answer = http.get("/v2/scheduler/decisions?limit=" + limit);

    assertThat(answer.status()).isEqualTo(400);
    assertThat(answer.error()).contains("'limit'", "1 to 4096", limit);
  }

  private static JsonObject urgent() {
    return Requests.row(2, 2, 3, 4).put("parameters", new JsonObject().put("priority", 1));
  }
}
