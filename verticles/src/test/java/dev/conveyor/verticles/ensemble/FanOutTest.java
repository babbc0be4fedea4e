package dev.conveyor.verticles.ensemble;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.DataType;
import dev.conveyor.verticles.metrics.ModelStats;
import dev.conveyor.verticles.server.HttpCalls.Answer;
import dev.conveyor.verticles.server.Requests;
import dev.conveyor.verticles.server.TestModels;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Steps that run per item, over HTTP: order, batches, conditions, limits, failures, leases. */
final class FanOutTest {

  private static final String IN = "{'name': 'IN', 'data_type': 'TYPE_FP32', 'dims': [-1, 4]}";
  private static final String OUT = "{'name': 'OUT', 'data_type': 'TYPE_FP32', 'dims': [-1, 4]}";

  /** Nothing runs until four items are there, from whatever request. */
  private static final String FOUR_AT_ONCE =
      "{\"max_batch_size\": 4, \"dynamic_batching\": {\"preferred_batch_size\": [4],"
          + " \"max_queue_delay_microseconds\": 600000000,"
          + " \"default_queue_policy\": {\"allow_timeout_override\": true}}}";

  @TempDir private Path dir;
  private TestModels models;

  @BeforeEach
  void makeRepository() {
    models =
        new TestModels(dir)
            .unary("negate", 1, "Neg", DataType.FP32, "batch", 4)
            .unary("magnitude", 1, "Abs", DataType.FP32, "batch", 4)
            .unary("four", 1, "Abs", DataType.FP32, "batch", 4)
            .config("four", FOUR_AT_ONCE);
    ensemble(
        "each",
        OUT,
        step("negate", "INPUT0", "IN", "OUTPUT0", "minus")
            + step("magnitude", "INPUT0", "minus", "OUTPUT0", "OUT"),
        "{'step': 0, 'for_each': ['INPUT0']}");
    ensemble(
        "patient",
        OUT,
        step("negate", "INPUT0", "IN", "OUTPUT0", "minus")
            + step("four", "INPUT0", "minus", "OUTPUT0", "OUT"),
        "{'step': 0, 'for_each': ['INPUT0']}");
  }

  @Test
  void shouldRunItemByItemAndJoinInOrder() {
    try (TestServer server = TestServer.start(models)) {
      Answer answer = server.http().infer("each", rows(5));
      assertThat(answer.status()).as(answer.text()).isEqualTo(200);
      assertThat(answer.output(0).getJsonArray("shape")).isEqualTo(new JsonArray("[5,4]"));
      assertThat(answer.data()).isEqualTo(counting(5));
      assertThat(stats(server, "negate").inferenceCount()).isEqualTo(5);
      assertOnlyTheJoinCopied(server, 5 * 16);
      server.assertIdle();
    }
  }

  @Test
  void shouldBatchTheItemsOfSeveralRequests() {
    try (TestServer server = TestServer.start(models)) {
      long before = stats(server, "four").executionCount();
      var first = server.http().inferAsync("patient", rows(3), new byte[0]);
      server.awaitQueued("four", 3);
      var second = server.http().inferAsync("patient", rows(5), new byte[0]);

      assertThat(first.join().data()).isEqualTo(counting(3));
      assertThat(second.join().data()).isEqualTo(counting(5));
      assertThat(stats(server, "four").executionCount() - before).isEqualTo(2);
      server.assertIdle();
    }
  }

  @Test
  void shouldAnswerWithoutRowsWhereThereAreNoItems() {
    try (TestServer server = TestServer.start(models)) {
      long before = stats(server, "negate").inferenceCount();
      Answer answer = server.http().infer("each", rows(0));
      assertThat(answer.status()).as(answer.text()).isEqualTo(200);
      assertThat(answer.output(0).getJsonArray("shape")).isEqualTo(new JsonArray("[0,4]"));
      assertThat(answer.data()).isEqualTo(new JsonArray());
      assertThat(stats(server, "negate").inferenceCount()).isEqualTo(before);
      server.assertIdle();
    }
  }

  @Test
  void shouldSkipItemsWhoseConditionDoesNotHold() {
    ensemble(
        "some",
        OUT + ", {'name': 'MASK', 'data_type': 'TYPE_UINT8', 'dims': [-1, 4]}",
        step("conveyor.threshold", "x", "IN", "mask", "MASK")
            + step("negate", "INPUT0", "IN", "OUTPUT0", "minus")
            + step("magnitude", "INPUT0", "minus", "OUTPUT0", "OUT"),
        "{'step': 0, 'for_each': ['x']}, {'step': 1, 'for_each': ['INPUT0'], 'when': 'MASK'}",
        "'step[0].at': {'string_value': '8'}");
    try (TestServer server = TestServer.start(models)) {
      // Rows are 0..3, 4..7, 8..11: only the last has a number of 8 or more.
      Answer answer = server.http().infer("some", rows(3));
      assertThat(answer.status()).as(answer.text()).isEqualTo(200);
      assertThat(answer.data()).isEqualTo(new JsonArray("[8.0,9.0,10.0,11.0]"));
      assertThat(answer.output(1).getJsonArray("data"))
          .isEqualTo(new JsonArray("[0,0,0,0,0,0,0,0,1,1,1,1]"));
      Answer none = server.http().infer("some", rows(2));
      assertThat(none.output(0).getJsonArray("shape")).isEqualTo(new JsonArray("[0,4]"));
      server.assertIdle();
    }
  }

  @Test
  void shouldSkipAStepOfTheRequestAndWhatReadsIt() {
    ensemble(
        "maybe",
        OUT,
        step("conveyor.threshold", "x", "IN", "mask", "mask")
            + step("negate", "INPUT0", "IN", "OUTPUT0", "minus")
            + step("magnitude", "INPUT0", "minus", "OUTPUT0", "OUT"),
        "{'step': 1, 'when': 'mask'}",
        "'step[0].at': {'string_value': '5'}");
    try (TestServer server = TestServer.start(models)) {
      assertThat(server.http().infer("maybe", rows(1)).output(0).getJsonArray("shape"))
          .isEqualTo(new JsonArray("[0,4]"));
      assertThat(server.http().infer("maybe", rows(2)).data()).isEqualTo(counting(2));
      server.assertIdle();
    }
  }

  @Test
  void shouldTakeOneOfTwoWaysThatMeetAgain() {
    String ways =
        step("conveyor.threshold", "x", "IN", "mask", "large")
            + step("negate", "INPUT0", "IN", "OUTPUT0", "x")
            + step("magnitude", "INPUT0", "IN", "OUTPUT0", "x")
            + step("negate", "INPUT0", "x", "OUTPUT0", "OUT");
    String at = "'step[0].at': {'string_value': '8'}";
    ensemble(
        "whole", OUT, ways, "{'step': 1, 'when': 'large'}, {'step': 2, 'unless': 'large'}", at);
    ensemble(
        "each",
        OUT,
        ways,
        "{'step': 0, 'for_each': ['x']}, {'step': 1, 'for_each': ['INPUT0'], 'when': 'large'},"
            + " {'step': 2, 'for_each': ['INPUT0'], 'unless': 'large'}",
        at);
    try (TestServer server = TestServer.start(models)) {
      // Rows are 0..3, 4..7, 8..11: with a number of 8 or more they are negated twice.
      assertThat(server.http().infer("whole", rows(2)).data())
          .isEqualTo(new JsonArray("[-0.0,-1.0,-2.0,-3.0,-4.0,-5.0,-6.0,-7.0]"));
      assertThat(server.http().infer("whole", rows(3)).data()).isEqualTo(counting(3));
      assertThat(server.http().infer("each", rows(3)).data())
          .isEqualTo(new JsonArray("[-0.0,-1.0,-2.0,-3.0,-4.0,-5.0,-6.0,-7.0,8.0,9.0,10.0,11.0]"));
      server.assertIdle();
    }
  }

  @Test
  void shouldRefuseOrLeaveOutItemsBeyondTheLimit() {
    String steps = step("negate", "INPUT0", "IN", "OUTPUT0", "OUT");
    ensemble("strict", OUT, steps, "{'for_each': ['INPUT0'], 'max_items': 2}");
    ensemble(
        "lenient", OUT, steps, "{'for_each': ['INPUT0'], 'max_items': 2, 'on_excess': 'TRUNCATE'}");
    try (TestServer server = TestServer.start(models)) {
      Answer refused = server.http().infer("strict", rows(3));
      assertThat(refused.status()).isEqualTo(400);
      assertThat(refused.error())
          .isEqualTo(
              "ensemble 'strict': step 0 (model 'negate'): 3 items, at most max_items=2 are taken");
      assertThat(server.http().infer("strict", rows(2)).status()).isEqualTo(200);
      assertThat(server.http().infer("lenient", rows(3)).output(0).getJsonArray("shape"))
          .isEqualTo(new JsonArray("[2,4]"));
      server.assertIdle();
    }
  }

  @Test
  void shouldJoinForAStepThatRunsOnceAndFanOutToAnotherEnsemble() {
    models.sum("sum", 4);
    ensemble(
        "joined",
        OUT,
        step("each", "IN", "IN", "OUT", "seen")
            + "{'model_name': 'sum', 'input_map': {'A': 'seen', 'B': 'IN'},"
            + " 'output_map': {'SUM': 'OUT'}},",
        "{'step': 0, 'for_each': ['IN']}, {'step': 1, 'join': true}");
    try (TestServer server = TestServer.start(models)) {
      Answer answer = server.http().infer("joined", rows(2));
      assertThat(answer.status()).as(answer.text()).isEqualTo(200);
      assertThat(answer.data()).isEqualTo(new JsonArray("[0.0,2.0,4.0,6.0,8.0,10.0,12.0,14.0]"));
      assertThat(server.http().infer("joined", rows(0)).output(0).getJsonArray("shape"))
          .isEqualTo(new JsonArray("[0,4]"));
      server.assertIdle();
    }
  }

  @Test
  void shouldNameTheItemThatFailsAndLeaveOtherRequestsAlone() {
    ensemble(
        "cut",
        "{'name': 'CROPS', 'data_type': 'TYPE_FP32', 'dims': [-1, 1, 2, 2]}",
        "{'model_name': 'conveyor.crop', 'input_map': {'image': 'IMAGE', 'box': 'IN'},"
            + " 'output_map': {'image': 'CROPS'}},"
            + step("magnitude", "INPUT0", "IN", "OUTPUT0", "unused"),
        "{'for_each': ['box']}, {'step': 1, 'for_each': ['INPUT0']}",
        "'step[0].width': {'string_value': '2'}, 'step[0].height': {'string_value': '2'}");
    try (TestServer server = TestServer.start(models)) {
      JsonObject image = Requests.input("IMAGE", 1, 1, 4, 4).put("data", counting(4));
      var other = server.http().inferAsync("patient", rows(3), new byte[0]);
      server.awaitQueued("four", 3);
      for (String bad : new String[] {"1,1,1,3", "3,3,1,1", "\"NaN\",0,2,2"}) {
        JsonObject request = boxes("[0,0,4,4, " + bad + ", 0,0,2,2]", 3, image);
        Answer refused = server.http().infer("cut", request);
        assertThat(refused.status()).as(refused.text()).isEqualTo(400);
        if (!bad.contains("NaN")) {
          assertThat(refused.error())
              .startsWith("ensemble 'cut': step 0 (model 'conveyor.crop'), item 1: box 0 has no");
        }
      }
      assertThat(server.http().infer("patient", rows(1)).data()).isEqualTo(counting(1));
      assertThat(other.join().data()).isEqualTo(counting(3));
      Answer good = server.http().infer("cut", boxes("[0,0,4,4, 0,0,2,2]", 2, image));
      assertThat(good.output(0).getJsonArray("shape")).isEqualTo(new JsonArray("[2,1,2,2]"));
      server.assertIdle();
    }
  }

  @Test
  void shouldTakeTenThousandItemsAFewAtATime() {
    ensemble(
        "crowd",
        OUT,
        step("negate", "INPUT0", "IN", "OUTPUT0", "minus")
            + step("magnitude", "INPUT0", "minus", "OUTPUT0", "OUT"),
        "{'for_each': ['INPUT0'], 'max_items': 10000}");
    // Far fewer places than items: a fan-out has to wait for its own.
    models.config(
        "negate",
        "{\"max_batch_size\": 8, \"dynamic_batching\": {\"default_queue_policy\":"
            + " {\"max_queue_size\": 64}}}");
    try (TestServer server = TestServer.start(models)) {
      int items = 10_000;
      JsonObject head =
          Requests.of(
                  Requests.input("IN", items, 4)
                      .put("parameters", new JsonObject().put("binary_data_size", 16 * items)))
              .put("parameters", new JsonObject().put("binary_data_output", true));
      Answer answer = server.http().infer("crowd", head, Requests.counting(0, 4 * items));
      assertThat(answer.status()).as(answer.text()).isEqualTo(200);
      assertThat(Requests.floats(answer.binary()))
          .isEqualTo(Requests.floats(Requests.counting(0, 4 * items)));
      server.assertIdle();
    }
  }

  @Test
  void shouldCallOffEveryItemWhenTheTimeIsUp() {
    try (TestServer server = TestServer.start(models)) {
      JsonObject impatient = rows(3).put("parameters", new JsonObject().put("timeout", 300_000));
      Answer late = server.http().infer("patient", impatient);
      assertThat(late.status()).as(late.text()).isEqualTo(504);
      assertThat(late.error()).contains("ensemble 'patient': step ").contains(", item ");
      server.awaitQueued("four", 0);
      server.assertIdle();
    }
  }

  private static JsonObject boxes(String data, int count, JsonObject image) {
    return Requests.of(Requests.input("IN", count, 4).put("data", new JsonArray(data)), image);
  }

  private static JsonObject rows(int count) {
    return Requests.of(Requests.input("IN", count, 4).put("data", counting(count)));
  }

  private static JsonArray counting(int rows) {
    JsonArray data = new JsonArray();
    for (int i = 0; i < 4 * rows; i++) {
      data.add((double) i);
    }
    return data;
  }

  private static ModelStats.Snapshot stats(TestServer server, String model) {
    return server.server().catalog().find(model, "").stats().snapshot();
  }

  private void ensemble(String name, String outputs, String steps, String flows, String... params) {
    String inputs =
        steps.contains("IMAGE")
            ? IN + ", {'name': 'IMAGE', 'data_type': 'TYPE_FP32', 'dims': [1, 1, 4, 4]}"
            : IN;
    String json =
        "{'platform': 'ensemble', 'input': [%s], 'output': [%s],".formatted(inputs, outputs)
            + " 'ensemble_scheduling': {'step': [%s]}, 'parameters': {%s},"
                .formatted(steps.substring(0, steps.length() - 1), String.join(",", params))
            + " 'conveyor': {'ensemble_step': [%s]}}".formatted(flows);
    models.config(name, json.replace('\'', '"'));
  }

  private static String step(String model, String input, String from, String output, String to) {
    return "{'model_name': '%s', 'input_map': {'%s': '%s'}, 'output_map': {'%s': '%s'}},"
        .formatted(model, input, from, output, to);
  }

  private static void assertOnlyTheJoinCopied(TestServer server, long bytes) {
    Ensemble ensemble = server.server().catalog().find("each", "").ensemble();
    assertThat(ensemble).isNotNull();
    assertThat(ensemble.handOver().copiedBytes()).isEqualTo(bytes);
    // To each of two steps, row by row.
    assertThat(ensemble.handOver().handedOnBytes()).isEqualTo(2 * bytes);
  }
}
