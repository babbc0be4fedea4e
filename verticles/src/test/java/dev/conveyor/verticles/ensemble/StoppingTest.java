package dev.conveyor.verticles.ensemble;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.verticles.server.Gate;
import dev.conveyor.verticles.server.HttpCalls;
import dev.conveyor.verticles.server.HttpCalls.Answer;
import dev.conveyor.verticles.server.Requests;
import dev.conveyor.verticles.server.TestModels;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.Future;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A server that stops while a step does not come to its end. */
@Timeout(120)
final class StoppingTest {

  /** The tenth of it in which the answers go out is long enough for a machine that is held up. */
  private static final JsonObject SHORT_GRACE = new JsonObject().put("shutdown_grace_ms", 6000);

  private static final int REQUESTS = 3;

  @TempDir private Path dir;

  @Test
  void shouldAnswerWhoWaitsForAStepThatHangs() throws InterruptedException {
    shouldAnswerAll("conveyor.double", "x", "y", "");
  }

  @Test
  void shouldAnswerWhoWaitsForTheTurnOfAStepThatHangs() throws InterruptedException {
    shouldAnswerAll("conveyor.double", "x", "y", "'max_inflight_requests': 1,");
  }

  @Test
  void shouldAnswerWhoWaitsForAModelThatHangs() throws InterruptedException {
    shouldAnswerAll("gated", "INPUT0", "OUTPUT0", "");
  }

  /** The gate stays shut until all are answered. */
  private void shouldAnswerAll(String second, String input, String output, String limit)
      throws InterruptedException {
    TestServer server =
        TestServer.start(
            new TestModels(dir)
                .identity("first", 4)
                .identity("gated", 4)
                .config(
                    "gated", "{\"parameters\": {\"test_gate\": {\"string_value\": \"hanging\"}}}")
                .config("stuck", ensemble(second, input, output, limit)),
            SHORT_GRACE);
    HttpCalls http = server.http();
    Future<Void> stopped;
    try (Gate gate = Gate.shut("hanging")) {
      List<CompletableFuture<Answer>> answers = new ArrayList<>();
      for (int i = 0; i < REQUESTS; i++) {
        answers.add(http.inferAsync("stuck", row(), new byte[0]));
      }
      gate.awaitArrival();
      while (answered(http, "first") < REQUESTS) {
        Thread.onSpinWait();
      }
      stopped = server.server().stop();
      for (CompletableFuture<Answer> answer : answers) {
        assertThat(answer.join().status()).as(answer.join()::text).isEqualTo(503);
        assertThat(answer.join().error()).contains("The server is shutting down");
      }
    }
    TestServer.await(stopped);
    TestServer.await(server.vertx().close());
  }

  private static int answered(HttpCalls http, String model) {
    return http.get("/v2/models/" + model + "/stats")
        .json()
        .getJsonArray("model_stats")
        .getJsonObject(0)
        .getJsonObject("inference_stats")
        .getJsonObject("success")
        .getInteger("count");
  }

  private static JsonObject row() {
    return Requests.of(Requests.input("IN", 1, 4).put("data", new JsonArray("[1.0,2.0,3.0,4.0]")));
  }

  private static String ensemble(String second, String input, String output, String limit) {
    String gate =
        second.startsWith("conveyor.")
            ? "'parameters': {'step[1].gate': {'string_value': 'hanging'}},"
            : "";
    return ("{'platform': 'ensemble', 'max_batch_size': 8,"
            + " 'input': [{'name': 'IN', 'data_type': 'TYPE_FP32', 'dims': [4]}],"
            + " 'output': [{'name': 'OUT', 'data_type': 'TYPE_FP32', 'dims': [4]}],"
            + " %s 'ensemble_scheduling': {%s 'step': ["
            + "{'model_name': 'first', 'input_map': {'INPUT0': 'IN'},"
            + " 'output_map': {'OUTPUT0': 'same'}},"
            + "{'model_name': '%s', 'input_map': {'%s': 'same'}, 'output_map': {'%s': 'OUT'}}]}}")
        .formatted(gate, limit, second, input, output)
        .replace('\'', '"');
  }
}
