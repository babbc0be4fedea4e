package dev.conveyor.verticles.ensemble;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.DataType;
import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.bus.InferenceClient;
import dev.conveyor.verticles.server.Gate;
import dev.conveyor.verticles.server.HttpCalls.Answer;
import dev.conveyor.verticles.server.Requests;
import dev.conveyor.verticles.server.TestModels;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Models made of models, over the protocols and through the life of what they are made of. */
final class EnsembleTest {

  @TempDir private Path dir;
  private TestModels models;

  @BeforeEach
  void makeRepository() {
    models =
        new TestModels(dir)
            .unary("negate", 1, "Neg", DataType.FP32, "batch", 4)
            .unary("magnitude", 1, "Abs", DataType.FP32, "batch", 4)
            .sum("sum", 4)
            .config("both", chain("'negate' x", "'magnitude' OUT"))
            .config(
                "fork",
                ensemble(
                    step("negate", "INPUT0", "IN", "OUTPUT0", "minus")
                        + ","
                        + step("magnitude", "INPUT0", "minus", "OUTPUT0", "plus")
                        + ", {'model_name': 'sum', 'input_map': {'A': 'minus', 'B': 'plus'},"
                        + " 'output_map': {'SUM': 'OUT'}}"));
  }

  @Test
  void shouldTakeTheModelsThatNoOtherEnsembleNeedsAlong() {
    models.unary("alone", 1, "Abs", DataType.FP32, "batch", 4);
    models.config("lonely", chain("'alone' x", "'negate' OUT"));
    try (TestServer server = TestServer.start(models)) {
      String unload = "/v2/repository/models/lonely/unload";
      Answer wrong =
          server.http().post(unload, "{\"parameters\": {\"unload_dependents\": \"yes\"}}");
      assertThat(wrong.status()).isEqualTo(400);
      assertThat(wrong.error()).contains("unload_dependents");

      Answer answer = server.http().post(unload, "{\"parameters\": {\"unload_dependents\": true}}");
      assertThat(answer.status()).as(answer::text).isEqualTo(200);
      assertThat(server.http().get("/v2/models/lonely/ready").status()).isEqualTo(503);
      assertThat(server.http().get("/v2/models/alone/ready").status()).isEqualTo(503);
      assertThat(server.http().get("/v2/models/negate/ready").status()).isEqualTo(200);
      assertThat(server.http().infer("both", row()).status()).isEqualTo(200);
    }
  }

  @Test
  void shouldServeAnEnsembleAsOneModelOnHttpAndOnTheBus() {
    try (TestServer server = TestServer.start(models)) {
      Answer answer = server.http().infer("both", row());
      assertThat(answer.status()).as(answer.text()).isEqualTo(200);
      assertThat(answer.json().getString("model_name")).isEqualTo("both");
      assertThat(answer.data()).isEqualTo(new JsonArray("[1.0,2.0,3.0,4.0]"));
      assertThat(answer.output(0).getString("name")).isEqualTo("OUT");

      JsonObject metadata = server.http().get("/v2/models/both").json();
      assertThat(metadata.getString("platform")).isEqualTo("ensemble");
      assertThat(server.http().get("/v2/models/both/config").text())
          .contains("ensemble_scheduling");

      var response =
          TestServer.await(
              InferenceClient.create(server.vertx())
                  .infer("fork", List.of(Requests.tensor("IN", 1, -2, 3, -4))));
      // minus + |minus|: only what was negative is left, doubled
      assertThat(Requests.floats(response.outputs().get(0))).containsExactly(0, 4, 0, 8);
      server.assertIdle();
    }
  }

  @Test
  void shouldHandTensorsOnByReferenceAndCountThem() {
    try (TestServer server = TestServer.start(models)) {
      assertThat(server.http().infer("fork", row()).status()).isEqualTo(200);
      ServedModel served = server.server().catalog().find("fork", "");
      Ensemble ensemble = served.ensemble();
      assertThat(ensemble).isNotNull();
      // "minus" goes to two steps and "plus" to one: 3 tensors of 16 bytes.
      assertThat(ensemble.handOver().handedOnBytes()).isEqualTo(48);
      assertThat(ensemble.handOver().copiedBytes()).isZero();
      assertThat(served.stats().snapshot().success().count()).isEqualTo(1);
      server.assertIdle();
    }
  }

  @Test
  void shouldFollowItsModelsWhenTheyGoAndComeBack() {
    try (TestServer server = TestServer.start(models)) {
      assertThat(server.http().get("/v2/models/both/ready").status()).isEqualTo(200);
      repository(server, "magnitude", "unload");

      Answer ready = server.http().get("/v2/models/both/ready");
      assertThat(ready.status()).isNotEqualTo(200);
      Answer refused = server.http().infer("both", row());
      assertThat(refused.status()).isEqualTo(503);
      assertThat(refused.error())
          .isEqualTo(
              "ensemble 'both': step 1 (model 'magnitude'): Model 'magnitude' is not ready: unloaded");
      assertThat(server.http().post("/v2/repository/index", "{}").text())
          .contains("step 1 (model 'magnitude'): Model 'magnitude' is not ready: unloaded");
      server.assertIdle();

      repository(server, "magnitude", "load");
      assertThat(server.http().infer("both", row()).status()).isEqualTo(200);
    }
  }

  @Test
  void shouldComeIntoServiceWhenAMissingModelIsLoaded() {
    models.config("late", chain("'negate' x", "'absent' OUT"));
    try (TestServer server = TestServer.start(models)) {
      Answer refused = server.http().infer("late", row());
      assertThat(refused.status()).isEqualTo(503);
      assertThat(refused.error())
          .contains("ensemble_scheduling.step[1].model_name")
          .contains("unknown model: 'absent'");

      models.identity("absent", 4);
      repository(server, "absent", "load");
      // Loading the ensemble waits its turn behind what was begun when the model came.
      repository(server, "late", "load");
      assertThat(server.http().infer("late", row()).status()).isEqualTo(200);
    }
  }

  @Test
  void shouldRefuseEnsemblesThatAreMadeOfEachOther() {
    models.config("a", chain("'b' x", "'negate' OUT"));
    models.config("b", chain("'a' x", "'negate' OUT"));
    models.config("outer", chain("'both' x", "'negate' OUT"));
    try (TestServer server = TestServer.start(models)) {
      assertThat(server.http().infer("a", row()).error())
          .contains("a cycle of ensembles: a -> b -> a");
      assertThat(server.http().infer("outer", rowOf("IN")).data())
          .isEqualTo(new JsonArray("[-1.0,-2.0,-3.0,-4.0]"));
      server.assertIdle();
    }
  }

  @Test
  void shouldRefuseBadInputsAndUnloadInOrder() {
    try (TestServer server = TestServer.start(models)) {
      assertThat(server.http().infer("both", Requests.row(1, 2)).status()).isEqualTo(400);
      JsonObject narrow =
          Requests.of(Requests.input("IN", 1, 3).put("data", new JsonArray("[1,2,3]")));
      assertThat(server.http().infer("both", narrow).error()).contains("unexpected shape");
      repository(server, "both", "unload");
      assertThat(server.http().infer("both", row()).status()).isEqualTo(503);
      server.assertIdle();
    }
  }

  @Test
  void shouldCallOffTheStepUnderWayWhenTheClientGivesUp() throws InterruptedException {
    models.config(
        "magnitude", "{\"parameters\": {\"test_gate\": {\"string_value\": \"ensemble\"}}}");
    models.config("slow", chain("'negate' x", "'magnitude' OUT"));
    try (TestServer server = TestServer.start(models)) {
      Gate gate = Gate.shut("ensemble");
      var first = server.http().inferAsync("slow", row(), new byte[0]);
      gate.awaitArrival();
      // Long enough for the first step to be lent the cores that the hung one has taken.
      JsonObject impatient = row().put("parameters", new JsonObject().put("timeout", 2_000_000));
      Answer late = server.http().infer("slow", impatient);
      gate.open();
      assertThat(first.join().status()).isEqualTo(200);
      assertThat(late.status()).isEqualTo(504);
      assertThat(late.error()).startsWith("ensemble 'slow': step 1 (model 'magnitude'): ");
      server.assertIdle();
    }
  }

  @Test
  void shouldEndARequestWhoseTimeoutIsOverWhileAStepRuns() throws InterruptedException {
    models.config(
        "magnitude", "{\"parameters\": {\"test_gate\": {\"string_value\": \"running\"}}}");
    models.config("slow", chain("'negate' x", "'magnitude' OUT"));
    try (TestServer server = TestServer.start(models)) {
      Gate gate = Gate.shut("running");
      JsonObject impatient = row().put("parameters", new JsonObject().put("timeout", 20_000));
      Answer late = server.http().infer("slow", impatient);
      gate.open();
      assertThat(late.status()).as(late::text).isEqualTo(504);
      assertThat(late.error()).startsWith("ensemble 'slow': step ").endsWith("timeout expired");
      server.assertIdle();
    }
  }

  private static void repository(TestServer server, String model, String change) {
    Answer answer = server.http().post("/v2/repository/models/" + model + "/" + change, "{}");
    assertThat(answer.status()).as(answer.text()).isEqualTo(200);
  }

  private static JsonObject row() {
    return rowOf("IN");
  }

  private static JsonObject rowOf(String input) {
    return Requests.of(Requests.input(input, 1, 4).put("data", new JsonArray("[1.0,2.0,3.0,4.0]")));
  }

  /** Each step is a quoted model and the tensor it gives. */
  private static String chain(String... steps) {
    StringBuilder all = new StringBuilder();
    String from = "IN";
    for (String step : steps) {
      String[] words = step.replace("'", "").split(" ", -1);
      boolean nested = List.of("both", "a", "b").contains(words[0]);
      all.append(all.length() == 0 ? "" : ",")
          .append(
              step(words[0], nested ? "IN" : "INPUT0", from, nested ? "OUT" : "OUTPUT0", words[1]));
      from = words[1];
    }
    return ensemble(all.toString());
  }

  private static String step(String model, String input, String from, String output, String to) {
    return "{'model_name': '%s', 'input_map': {'%s': '%s'}, 'output_map': {'%s': '%s'}}"
        .formatted(model, input, from, output, to);
  }

  private static String ensemble(String steps) {
    return ("{'platform': 'ensemble', 'max_batch_size': 8,"
            + " 'input': [{'name': 'IN', 'data_type': 'TYPE_FP32', 'dims': [4]}],"
            + " 'output': [{'name': 'OUT', 'data_type': 'TYPE_FP32', 'dims': [4]}],"
            + " 'ensemble_scheduling': {'step': ["
            + steps
            + "]}}")
        .replace('\'', '"');
  }
}
