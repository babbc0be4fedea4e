package dev.conveyor.verticles.supervisor;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.DataType;
import dev.conveyor.verticles.server.Gate;
import dev.conveyor.verticles.server.HttpCalls;
import dev.conveyor.verticles.server.HttpCalls.Answer;
import dev.conveyor.verticles.server.RawConnection;
import dev.conveyor.verticles.server.Requests;
import dev.conveyor.verticles.server.ServerCase;
import dev.conveyor.verticles.server.TestModels;
import io.vertx.core.json.JsonObject;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Requests that somebody wants in time, for models that have to be loaded first. */
final class ColdDeadlinesTest extends ServerCase {

  private static final String ON_DEMAND =
      """
      {"parameters": {"test_gate": {"string_value": "%s"}},
       "conveyor": {"residency": "on_demand", "latency_objective_microseconds": %d}}
      """;

  /** No load is expected to take less than 20 ms. */
  private static final int TOO_SHORT_MICROS = 15_000;

  /** On a machine that stands still, the objective may be over before anybody is asked. */
  private static final int TRIES = 200;

  /** A request may be in a hurry as far as its queue is concerned. */
  private static final String IMPATIENT =
      """
      {"conveyor": {"residency": "on_demand"},
       "dynamic_batching": {"default_queue_policy": {"allow_timeout_override": true}}}
      """;

  @BeforeAll
  static void start() {
    serve(
        new TestModels(dir)
            .identity("hurried", 4)
            .config("hurried", ON_DEMAND.formatted("", 0))
            .identity("early", 4)
            .config("early", ON_DEMAND.formatted("", 0))
            .identity("patient", 4)
            .config("patient", ON_DEMAND.formatted("", 0))
            .identity("impatient", 4)
            .config("impatient", IMPATIENT)
            .identity("promised", 4)
            .config("promised", ON_DEMAND.formatted("", TOO_SHORT_MICROS))
            .identity("slow", 4)
            .config("slow", ON_DEMAND.formatted("slow_load", 1_000_000))
            .unary("step", 1, "Abs", DataType.FP32, "batch", 4)
            .config("step", ON_DEMAND.formatted("", 0))
            .config(
                "whole",
                """
                {"platform": "ensemble", "max_batch_size": 8,
                 "input": [{"name": "IN", "data_type": "TYPE_FP32", "dims": [4]}],
                 "output": [{"name": "OUT", "data_type": "TYPE_FP32", "dims": [4]}],
                 "ensemble_scheduling": {"step": [
                   {"model_name": "step", "model_version": -1,
                    "input_map": {"INPUT0": "IN"}, "output_map": {"OUTPUT0": "OUT"}}]},
                 "conveyor": {"latency_objective_microseconds": %d}}
                """
                    .formatted(TOO_SHORT_MICROS)));
  }

  @Test
  void shouldRefuseAtOnceWhatCannotBeAnsweredInTimeAndLoadTheModelForTheNext() {
    int before = coldStarts();
    Answer hasty =
        untilAskedInTime(
            () ->
                http.send(
                    http.inferRequest("hurried", row(), new byte[0])
                        .header("x-timeout-ms", "15")
                        .build()));
    assertThat(hasty.status()).isEqualTo(503);
    assertThat(hasty.error()).contains("'hurried' is not ready").contains("would answer in");
    assertThat(hasty.header("Retry-After")).isEqualTo("1");
    assertThat(coldStarts()).isEqualTo(before + 1);
    assertThat(http.infer("hurried", row()).status()).isEqualTo(200);
    assertThat(coldStarts()).as("the same load").isEqualTo(before + 1);
    assertThat(new HttpCalls(server.server().metricsPort()).get("/metrics").text())
        .contains("conveyor_cold_requests_refused_total{model=\"hurried\",reason=\"deadline\"} 1");
  }

  @Test
  void shouldRefuseItBeforeItsBodyAndLoadTheModelForTheNext() throws Exception {
    int before = coldStarts();
    try (RawConnection client = new RawConnection(server.httpPort())) {
      client.send(Requests.head(4, "early", "x-timeout-ms: 5\r\nexpect: 100-continue\r\n"));
      assertThat(client.statusLine()).startsWith("HTTP/1.1 503 ");
      assertThat(client.rest()).contains("'early' is not ready", "\"reason\":\"deadline\"");
    }
    assertThat(http.infer("early", row()).status()).isEqualTo(200);
    assertThat(coldStarts()).as("the same load").isEqualTo(before + 1);
  }

  @Test
  void shouldRefuseAtOnceWhatCannotMeetTheModelsOwnObjectiveAndLoadTheModel() {
    Answer late = untilItLoads(() -> http.infer("promised", row()));
    assertThat(late.error()).contains("'promised'").doesNotContain("cannot meet the");
  }

  @Test
  void shouldLoadTheStepsOfAnEnsembleWhoseObjectiveIsTooShortForThat() {
    JsonObject input = Requests.row(1, 2, 3, 4).getJsonArray("inputs").getJsonObject(0);
    JsonObject request = Requests.of(input.put("name", "IN"));
    Answer late = untilItLoads(() -> http.infer("whole", request));
    assertThat(late.error()).contains("ensemble 'whole'");
    int before = coldStarts();
    assertThat(http.infer("step", row()).status()).isEqualTo(200);
    assertThat(coldStarts()).as("the same load").isEqualTo(before);
  }

  /** Returns the answer to the request that had something loaded; all are refused. */
  private static Answer untilItLoads(Supplier<Answer> request) {
    int before = coldStarts();
    for (int i = 0; i < TRIES; i++) {
      Answer answer = request.get();
      assertThat(answer.status()).as(answer::text).isEqualTo(503);
      if (coldStarts() > before) {
        return answer;
      }
    }
    throw new AssertionError("nothing was loaded for " + TRIES + " requests");
  }

  @Test
  void shouldHeedTheTimeoutOfARequestWhereTheQueuePolicyDoes() {
    Answer late = untilAskedInTime(() -> http.infer("impatient", hasty()));
    assertThat(late.status()).isEqualTo(503);
    assertThat(late.error()).contains("would answer in");
    Answer patient = http.infer("patient", hasty());
    assertThat(patient.status()).as(patient::text).isEqualTo(200);
  }

  @Test
  void shouldRefuseWhatWaitsWhenTheObjectiveIsOverBeforeTheLoadIs() throws Exception {
    CompletableFuture<Answer> waiting;
    try (Gate gate = Gate.shut("slow_load")) {
      waiting = http.inferAsync("slow", row(), new byte[0]);
      gate.awaitArrival(); // its warm-up
      Answer late = waiting.get(60, TimeUnit.SECONDS);
      assertThat(late.status()).isEqualTo(503);
      assertThat(late.error()).contains("for longer than its latency objective");
    }
    // The next one waits for the same load, unless that has ended or is expected to be too late.
    assertThat(http.infer("slow", row()).status()).isIn(200, 503);
  }

  /** Returns the first answer to a request whose time was not over before anybody was asked. */
  private static Answer untilAskedInTime(Supplier<Answer> request) {
    Answer answer = request.get();
    for (int i = 1; i < TRIES && answer.status() == 504; i++) {
      answer = request.get();
    }
    return answer;
  }

  private static JsonObject row() {
    return Requests.row(1, 2, 3, 4);
  }

  /** A timeout that is too short for a load. */
  private static JsonObject hasty() {
    return row().put("parameters", new JsonObject().put("timeout", TOO_SHORT_MICROS));
  }

  private static int coldStarts() {
    return http.get("/v2/memory")
        .json()
        .getJsonArray("devices")
        .getJsonObject(0)
        .getInteger("cold_starts");
  }
}
