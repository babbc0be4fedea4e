package dev.conveyor.verticles.ensemble;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.conveyor.models.DataType;
import dev.conveyor.verticles.bus.BusAddresses;
import dev.conveyor.verticles.server.Gate;
import dev.conveyor.verticles.server.HttpCalls;
import dev.conveyor.verticles.server.HttpCalls.Answer;
import dev.conveyor.verticles.server.Requests;
import dev.conveyor.verticles.server.ServerCase;
import dev.conveyor.verticles.server.TestModels;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.Future;
import io.vertx.core.eventbus.DeliveryOptions;
import io.vertx.core.eventbus.Message;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Requests through an ensemble that somebody wants in time, while its second step is held. */
final class EnsembleDeadlineTest extends ServerCase {

  private static final String GATE = "deadline";

  /** What is held keeps its core, so the others must not need all of them. */
  private static final String ONE_CORE =
      """
      {"parameters": {"test_gate": {"string_value": "%s"}}, "conveyor": {"intra_op_threads": 1}}
      """;

  private static final String HASTY_GATE = "hasty";

  /** Its queue gives up long before any objective here. */
  private static final String HASTY =
      """
      {"parameters": {"test_gate": {"string_value": "%s"}}, "conveyor": {"intra_op_threads": 1},
       "dynamic_batching": {"default_queue_policy":
           {"default_timeout_microseconds": 10000}}}
      """;

  @BeforeAll
  static void start() {
    serve(
        new TestModels(dir)
            .unary("negate", 1, "Neg", DataType.FP32, "batch", 4)
            .unary("held", 1, "Abs", DataType.FP32, "batch", 4)
            .config("negate", ONE_CORE.formatted(""))
            .config("held", ONE_CORE.formatted(GATE))
            .unary("hasty", 1, "Abs", DataType.FP32, "batch", 4)
            .config("hasty", HASTY.formatted(HASTY_GATE))
            .config("promised_hasty", ensemble("hasty", 0, 60_000_000))
            .config("narrow", ensemble("held", 1, 0))
            .config("promised", ensemble("held", 0, 2_000_000))
            .config("promised_narrow", ensemble("held", 1, 2_000_000))
            .config("outer", ensemble("narrow", 0, 2_000_000)));
  }

  @Test
  void shouldEndWithItsClientsDeadlineWhileItWaitsForAStep() throws InterruptedException {
    try (Gate gate = Gate.shut(GATE)) {
      var first = http.inferAsync("narrow", row(), new byte[0]);
      gate.awaitArrival();
      Future<Message<Object>> onTheBus = onTheBus("narrow", "2000");
      Answer late = impatient("narrow", 2000);
      assertThat(late.status()).isEqualTo(504);
      assertThat(late.error())
          .isEqualTo("ensemble 'narrow': step 1 (model 'held'): Request timeout expired");
      Throwable lateOnTheBus = catchThrowable(() -> TestServer.await(onTheBus));
      assertThat(lateOnTheBus).hasStackTraceContaining("step 1 (model 'held'): Request timeout");
      gate.open();
      assertThat(first.join().status()).isEqualTo(200);
    }
    // The places of those who gave up are free.
    assertThat(http.infer("narrow", row()).status()).isEqualTo(200);
  }

  @Test
  void shouldRefuseWhatHasNotBegunWhenTheObjectiveIsOverAndFinishWhatHas()
      throws InterruptedException {
    try (Gate gate = Gate.shut(GATE)) {
      var first = http.inferAsync("promised_narrow", row(), new byte[0]);
      gate.awaitArrival();
      Answer late = http.infer("promised_narrow", row());
      assertThat(late.status()).isEqualTo(503);
      assertThat(late.header("Retry-After")).isEqualTo("1");
      assertThat(late.error())
          .isEqualTo(
              "ensemble 'promised_narrow': step 1 (model 'held'): the ensemble's latency objective"
                  + " of 2000000 us was over before it could run");
      gate.open();
      assertThat(first.join().status()).as("has begun, as with any model").isEqualTo(200);
    }
    String metrics = new HttpCalls(server.server().metricsPort()).get("/metrics").text();
    assertThat(metrics)
        .containsPattern(
            "conveyor_requests_refused_total\\{model=\"promised_narrow\"[^}]*deadline[^}]*} 1");
  }

  @Test
  void shouldRefuseWhatStandsInTheQueueOfAStepWhenTheObjectiveIsOver() throws InterruptedException {
    try (Gate gate = Gate.shut(GATE)) {
      var first = http.inferAsync("held", rowOf("INPUT0"), new byte[0]);
      gate.awaitArrival();
      Answer late = http.infer("promised", row());
      assertThat(late.status()).as(late::text).isEqualTo(503);
      assertThat(late.error())
          .startsWith(
              "ensemble 'promised': step 1 (model 'held'): the ensemble's latency objective");
      Answer hurried = impatient("promised", 1000);
      assertThat(hurried.status()).as("the client's own deadline comes first").isEqualTo(504);
      gate.open();
      assertThat(first.join().status()).isEqualTo(200);
    }
  }

  @Test
  void shouldNotTakeTheTimeoutOfAStepsQueueForItsObjective() throws InterruptedException {
    try (Gate gate = Gate.shut(HASTY_GATE)) {
      var first = http.inferAsync("hasty", rowOf("INPUT0"), new byte[0]);
      gate.awaitArrival();
      Answer late = http.infer("promised_hasty", row());
      assertThat(late.status()).as(late::text).isEqualTo(504);
      assertThat(late.error())
          .isEqualTo("ensemble 'promised_hasty': step 1 (model 'hasty'): Request timeout expired");
      gate.open();
      assertThat(first.join().status()).isEqualTo(200);
    }
  }

  @Test
  void shouldHandItsObjectiveToAnEnsembleThatIsAStep() throws InterruptedException {
    try (Gate gate = Gate.shut(GATE)) {
      var first = http.inferAsync("narrow", row(), new byte[0]);
      gate.awaitArrival();
      Answer late = http.infer("outer", row());
      assertThat(late.status()).as(late::text).isEqualTo(503);
      assertThat(late.error())
          .startsWith("ensemble 'outer': step 1 (model 'narrow'): the ensemble's latency objective")
          .contains("ensemble 'narrow': step 1 (model 'held')");
      gate.open();
      assertThat(first.join().status()).isEqualTo(200);
    }
  }

  private static Answer impatient(String model, int millis) {
    return http.send(
        http.inferRequest(model, row(), new byte[0])
            .header("x-timeout-ms", Integer.toString(millis))
            .build());
  }

  private static Future<Message<Object>> onTheBus(String model, String millis) {
    return server
        .vertx()
        .eventBus()
        .request(
            BusAddresses.infer(BusAddresses.DEFAULT_PREFIX),
            row().put("model_name", model),
            new DeliveryOptions().addHeader("timeout_ms", millis));
  }

  private static JsonObject row() {
    return rowOf("IN");
  }

  private static JsonObject rowOf(String input) {
    return Requests.of(Requests.input(input, 1, 4).put("data", new JsonArray("[1.0,2.0,3.0,4.0]")));
  }

  private static String ensemble(String second, int limit, int objectiveMicros) {
    boolean nested = second.equals("narrow");
    return ("{'platform': 'ensemble', 'max_batch_size': 8,"
            + " 'input': [{'name': 'IN', 'data_type': 'TYPE_FP32', 'dims': [4]}],"
            + " 'output': [{'name': 'OUT', 'data_type': 'TYPE_FP32', 'dims': [4]}],"
            + " 'ensemble_scheduling': {'max_inflight_requests': %d, 'step': ["
            + "{'model_name': 'negate', 'input_map': {'INPUT0': 'IN'},"
            + " 'output_map': {'OUTPUT0': 'x'}},"
            + "{'model_name': '%s', 'input_map': {'%s': 'x'}, 'output_map': {'%s': 'OUT'}}]},"
            + " 'conveyor': {'latency_objective_microseconds': %d}}")
        .formatted(
            limit, second, nested ? "IN" : "INPUT0", nested ? "OUT" : "OUTPUT0", objectiveMicros)
        .replace('\'', '"');
  }
}
