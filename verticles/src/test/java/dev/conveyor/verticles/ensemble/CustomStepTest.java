package dev.conveyor.verticles.ensemble;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.verticles.server.DoubleStep;
import dev.conveyor.verticles.server.Gate;
import dev.conveyor.verticles.server.HttpCalls.Answer;
import dev.conveyor.verticles.server.Requests;
import dev.conveyor.verticles.server.ServerCase;
import dev.conveyor.verticles.server.TestModels;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** A step that a user brings, found on the class path. */
final class CustomStepTest extends ServerCase {

  @BeforeAll
  static void start() {
    serve(
        new TestModels(dir)
            .identity("same", 4)
            .config("doubled", ensemble(""))
            .config("hanging", ensemble("'step[0].gate': {'string_value': 'hanging'}"))
            .config("broken", ensemble("'step[0].fails': {'string_value': 'out of paper'}"))
            .config("misspelt", ensemble("'step[0].gaet': {'string_value': 'a'}")));
  }

  @Test
  void shouldBeServedLikeAnyOtherStepOffTheEventLoops() {
    Answer answer = http.infer("doubled", row());
    assertThat(answer.status()).as(answer::text).isEqualTo(200);
    assertThat(answer.data()).isEqualTo(new JsonArray("[2.0,4.0,6.0,8.0]"));
    assertThat(DoubleStep.lastThread()).startsWith("step-");
  }

  @Test
  void shouldBeNamedWithWhatItThrows() {
    Answer answer = http.infer("broken", row());
    assertThat(answer.status()).isEqualTo(500);
    assertThat(answer.error())
        .isEqualTo(
            "ensemble 'broken': step 0 (model 'conveyor.double'):"
                + " java.lang.IllegalStateException: out of paper");
    assertThat(http.infer("doubled", row()).status()).isEqualTo(200);
  }

  @Test
  void shouldBeRefusedWithASettingThatItDoesNotHave() {
    assertThat(http.infer("misspelt", row()).error())
        .contains("step[0].gaet")
        .contains("not a setting of this step, which has [fails, gate]");
  }

  @Test
  void shouldBeNamedWhereTheTimeOfARequestWasSpentInIt() throws InterruptedException {
    try (Gate gate = Gate.holdOne("hanging")) {
      var hanging =
          http.sendAsync(
              http.inferRequest("hanging", row(), new byte[0])
                  .header("x-timeout-ms", "1000")
                  .build());
      gate.awaitArrival();
      // The worker is in the step still, and others are served beside it.
      assertThat(hanging.join().status()).isEqualTo(504);
      assertThat(hanging.join().error())
          .isEqualTo(
              "ensemble 'hanging': step 0 (model 'conveyor.double'): Request timeout expired");
      assertThat(http.infer("doubled", row()).status()).isEqualTo(200);
    }
    assertThat(http.infer("hanging", row()).status()).isEqualTo(200);
  }

  private static JsonObject row() {
    return Requests.of(Requests.input("IN", 1, 4).put("data", new JsonArray("[1.0,2.0,3.0,4.0]")));
  }

  private static String ensemble(String parameters) {
    return ("{'platform': 'ensemble', 'max_batch_size': 8,"
            + " 'input': [{'name': 'IN', 'data_type': 'TYPE_FP32', 'dims': [4]}],"
            + " 'output': [{'name': 'OUT', 'data_type': 'TYPE_FP32', 'dims': [4]}],"
            + " 'ensemble_scheduling': {'step': ["
            + "{'model_name': 'conveyor.double', 'input_map': {'x': 'IN'},"
            + " 'output_map': {'y': 'twice'}},"
            + "{'model_name': 'same', 'input_map': {'INPUT0': 'twice'},"
            + " 'output_map': {'OUTPUT0': 'OUT'}}]}, 'parameters': {"
            + parameters
            + "}}")
        .replace('\'', '"');
  }
}
