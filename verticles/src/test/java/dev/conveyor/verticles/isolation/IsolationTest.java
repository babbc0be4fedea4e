package dev.conveyor.verticles.isolation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.conveyor.models.Tensor;
import dev.conveyor.verticles.bus.InferenceClient;
import dev.conveyor.verticles.chaos.Poison;
import dev.conveyor.verticles.server.Gate;
import dev.conveyor.verticles.server.HttpCalls;
import dev.conveyor.verticles.server.Requests;
import dev.conveyor.verticles.server.TestModels;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.Future;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Faults of every size in a whole server, and who notices them. */
final class IsolationTest {

  private static final int BATCH = 32;
  private static final long LATE_MS = 700;

  @TempDir private static Path dir;
  private static TestServer server;
  private static final BlockingQueue<JsonObject> events = new LinkedBlockingQueue<>();

  @BeforeAll
  static void start() {
    TestModels models = new TestModels(dir);
    for (String model :
        List.of(
            "batched", "several", "late", "failing", "memory", "sick", "hung", "away", "stuck")) {
      models
          .identity(model, 4)
          .config(
              model,
              """
              {"max_batch_size": %d, "dynamic_batching": {},
               "instance_group": [{"kind": "KIND_CPU", "count": 1}],
               "conveyor": {"reject_non_finite": %s},
               "parameters": {"chaos": {"string_value": "on"},
                              "test_gate": {"string_value": "%s"}}}"""
                  .formatted(BATCH, model.equals("batched"), model));
    }
    models
        .identity("hedged", 4)
        .config(
            "hedged",
            """
            {"max_batch_size": 8, "instance_group": [{"kind": "KIND_CPU", "count": 2}],
             "conveyor": {"intra_op_threads": 1, "hedging": {"max_share": 1}},
             "parameters": {"test_gate": {"string_value": "hedged"}}}""");
    server = TestServer.start(models);
    server
        .vertx()
        .eventBus()
        .<JsonObject>consumer("conveyor.events", message -> events.add(message.body()));
  }

  @AfterEach
  void shouldBeIdle() {
    server.assertIdle();
    events.clear();
  }

  @AfterAll
  static void stop() {
    server.close();
  }

  @Test
  void shouldAnswerEveryoneInABatchButTheCulprit() throws Exception {
    long before = executions("batched");
    List<Future<float[]>> answers = batch("batched", 17, Poison.EXCEPTION, 0);
    assertOnlyFails(answers, 17, "chaos: poison in the batch");
    assertThat(executions("batched") - before)
        .as("parts that succeeded; with those that failed at most 2 log2 32")
        .isBetween(1L, 11L);
    assertThat(next(event -> decision(event, "request_blamed")).getString("model"))
        .isEqualTo("batched");

    answers = batch("batched", 17, Poison.EXCEPTION, 0);
    assertOnlyFails(answers, 17, "chaos: poison in the batch");
    assertThat(next(event -> decision(event, "suspect_isolated"))).isNotNull();
  }

  @Test
  void shouldAnswerEveryoneButTheCulpritsWhenThereAreMany() throws Exception {
    Set<Integer> culprits = Set.of(1, 4, 7, 8, 13, 18, 22, 25, 29, 31);
    List<Future<float[]>> answers = new ArrayList<>();
    Future<float[]> first;
    try (Gate gate = Gate.shut("several")) {
      first = infer("several", new float[] {1, 2, 3, 4});
      gate.awaitArrival();
      for (int i = 0; i < BATCH; i++) {
        boolean bad = culprits.contains(i);
        answers.add(infer("several", bad ? row(Poison.EXCEPTION, 0, i) : new float[] {1, 2, 3, i}));
      }
      server.awaitQueued("several", BATCH);
    }
    TestServer.await(first);
    for (int i = 0; i < BATCH; i++) {
      Future<float[]> answer = answers.get(i);
      if (culprits.contains(i)) {
        assertThatThrownBy(() -> TestServer.await(answer))
            .hasMessageContaining("chaos: poison in the batch");
      } else {
        assertThat(TestServer.await(answer)).as("request %d", i).containsExactly(1, 2, 3, i);
      }
    }
    next(event -> decision(event, "batch_split") && reason(event, "several_culprits"));
  }

  @Test
  void shouldNotRunRequestsAgainWhoseDeadlineHasPassed() throws Exception {
    Future<float[]> first;
    List<Future<float[]>> late = new ArrayList<>();
    List<Future<float[]>> patient = new ArrayList<>();
    Gate before = Gate.shut("late");
    first = infer("late", new float[] {1, 2, 3, 4});
    before.awaitArrival();
    InferenceClient hasty = InferenceClient.create(server.vertx(), "conveyor", LATE_MS);
    for (int i = 0; i < 8; i++) {
      patient.add(infer("late", i == 3 ? row(Poison.EXCEPTION, 0, i) : new float[] {1, 2, 3, i}));
      late.add(infer(hasty, "late", new float[] {1, 2, 3, i}));
    }
    server.awaitQueued("late", 16);
    final long deadlineNs = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(LATE_MS);
    long executions;
    try (Gate gate = Gate.shut("late")) {
      before.open();
      gate.awaitArrival();
      executions = inferences("late");
      while (System.nanoTime() - deadlineNs < 0) {
        Thread.onSpinWait();
      }
    }
    TestServer.await(first);
    assertOnlyFails(patient, 3, "chaos: poison in the batch");
    for (Future<float[]> answer : late) {
      assertThatThrownBy(() -> TestServer.await(answer)).isInstanceOf(AssertionError.class);
    }
    assertThat(inferences("late") - executions)
        .as("those whose clients had gone were not run again")
        .isEqualTo(7);
  }

  @Test
  void shouldReplaceOnceAnInstanceThatRunsNothingButTheSyntheticBatch() throws Exception {
    for (int i = 0; i < 12; i++) {
      float[] bad = row(Poison.EXCEPTION, i, i);
      assertThatThrownBy(() -> TestServer.await(infer("failing", bad)))
          .as("request %d", i)
          .hasMessageContaining("chaos: poison in the batch");
    }
    JsonObject probed = next(event -> decision(event, "instance_probed") && !reason(event, "well"));
    assertThat(probed.getString("reason")).isEqualTo("failing");
    next(event -> decision(event, "instance_replaced"));
    assertThat(server.http().get("/v2/models/failing/instances").json().getJsonArray("instances"))
        .singleElement()
        .satisfies(
            line ->
                assertThat(((JsonObject) line).getInteger("index"))
                    .as("replaced once")
                    .isEqualTo(1));
    assertThat(TestServer.await(infer("failing", new float[] {1, 2, 3, 4})))
        .containsExactly(1, 2, 3, 4);
  }

  @Test
  @Timeout(60)
  void shouldRefuseRequestsWhenAReplacementDoesNotComeSoon() throws Exception {
    for (int i = 0; i < 12; i++) {
      TestServer.await(infer("away", new float[] {1, 2, 3, i}));
    }
    try (Gate gate = Gate.shut("away")) {
      Future<float[]> answer = infer("away", new float[] {5, 6, 7, 8});
      gate.awaitArrival();
      gate.awaitArrival(); // The replacement, in its warm-up.
      assertThatThrownBy(() -> TestServer.await(answer))
          .as("it does not wait until the replacement is there")
          .hasMessageContaining("'away' is not ready: an execution runs for");
      assertThat(next(event -> decision(event, "model_unavailable")).getString("model"))
          .isEqualTo("away");
    }
    next(event -> decision(event, "instance_replaced"));
    assertThat(TestServer.await(infer("away", new float[] {1, 2, 3, 4})))
        .containsExactly(1, 2, 3, 4);
    while (instances("away").contains("HUNG")) {
      Thread.onSpinWait();
    }
  }

  @Test
  void shouldRefuseOutputsThatAreNotWhatTheModelDeclares() throws Exception {
    List<Future<float[]>> answers = batch("batched", 0, Poison.SHAPE, 0);
    assertOnlyFails(answers, 0, "output 'OUTPUT0' is FP32 [1,3]");
  }

  @Test
  void shouldRefuseOutputsThatAreNotFiniteWhereThatIsAsked() throws Exception {
    List<Future<float[]>> answers = batch("batched", 12, Poison.NAN, 0);
    assertOnlyFails(answers, 12, "output 'OUTPUT0' is not finite at element 0");
    assertThat(next(event -> decision(event, "output_refused")).getString("reason"))
        .isEqualTo("non_finite");
    assertThat(TestServer.await(infer("memory", row(Poison.NAN, 0, 0)))[0]).as("not asked").isNaN();
  }

  @Test
  void shouldSurviveAnErrorInTheBackend() throws Exception {
    List<Future<float[]>> answers = batch("batched", 31, Poison.ERROR, 0);
    assertOnlyFails(answers, 31, "chaos: an error in the backend");
  }

  @Test
  void shouldRunSmallerBatchesAndBlameNobodyWhenMemoryRunsOut() throws Exception {
    List<Future<float[]>> answers = batch("memory", 5, Poison.OUT_OF_MEMORY, 8);
    for (int i = 0; i < BATCH; i++) {
      float[] answer = TestServer.await(answers.get(i));
      assertThat(answer[3]).isEqualTo(i);
    }
    assertThat(next(event -> decision(event, "batch_halved")).getString("reason"))
        .isEqualTo("out_of_memory");
  }

  @Test
  void shouldReplaceASickInstanceAndLoseNoOtherRequest() throws Exception {
    // It makes an instance sick, is run again alone, and makes the next one sick, too.
    List<Future<float[]>> answers = batch("sick", 9, Poison.SICKNESS, 0);
    assertOnlyFails(answers, 9, "may be sent again: its batches fail");
    assertThat(TestServer.await(infer("sick", new float[] {1, 2, 3, 4})))
        .containsExactly(1, 2, 3, 4);
    assertThat(next(event -> decision(event, "instance_probed")).getString("reason"))
        .isEqualTo("sick");
    assertThat(next(event -> decision(event, "instance_replaced")).getString("model"))
        .isEqualTo("sick");
    JsonObject instances = server.http().get("/v2/models/sick/instances").json();
    assertThat(instances.getBoolean("ready")).isTrue();
    JsonArray lines = instances.getJsonArray("instances");
    assertThat(lines).hasSize(1);
    assertThat(lines.getJsonObject(0).getInteger("index")).isEqualTo(2);
    assertThat(lines.getJsonObject(0).getString("state")).isEqualTo("READY");
  }

  @Test
  void shouldCutAHungExecutionAndRunItsRequestsElsewhere() throws Exception {
    for (int i = 0; i < 12; i++) {
      TestServer.await(infer("hung", new float[] {1, 2, 3, i}));
    }
    Future<float[]> answer;
    try (Gate gate = Gate.shut("hung")) {
      answer = infer("hung", new float[] {5, 6, 7, 8});
      gate.awaitArrival();
      assertThat(next(event -> decision(event, "execution_cut")).getString("model"))
          .isEqualTo("hung");
      // The replacement stands before the gate too, in its warm-up; the first is still inside.
      gate.awaitArrival();
      assertThat(server.http().get("/v2/models/hung/ready").status()).isEqualTo(503);
      assertThat(server.http().get("/v2/health/ready").status()).isEqualTo(200);
    }
    assertThat(TestServer.await(answer)).containsExactly(5, 6, 7, 8);
    JsonObject replaced = next(event -> decision(event, "instance_replaced"));
    assertThat(replaced.getString("model")).isEqualTo("hung");
    assertThat(replaced.getString("reason")).as("why it was necessary").isEqualTo("hung");
    assertThat(counted("hung"))
        .contains("decision=\"request_retried\",reason=\"instance_lost\"")
        .contains("decision=\"instance_quarantined\",reason=\"hung\"");
    assertThat(server.http().get("/v2/models/hung/ready").status()).isEqualTo(200);
    awaitNoneHung("hung");
  }

  @Test
  @Timeout(60)
  void shouldAnswerThoseThatRanBeforeOneThatHangs() throws Exception {
    for (int i = 0; i < 12; i++) {
      TestServer.await(infer("stuck", new float[] {1, 2, 3, i}));
    }
    // It hangs again when it runs alone on the next instance, after some of the others did.
    List<Future<float[]>> answers = batch("stuck", 20, Poison.SLEEP, 6000);
    assertOnlyFails(answers, 20, "may be sent again");
    assertThat(counted("stuck")).contains("decision=\"retry_refused\",reason=\"repeated\"");
    assertThat(instances("stuck")).as("nobody waited for the execution to end").contains("HUNG");
    awaitNoneHung("stuck");
  }

  @Test
  @Timeout(60)
  void shouldAnswerFromASecondInstanceWhenTheFirstTakesLong() throws Exception {
    assumeTrue(Runtime.getRuntime().availableProcessors() > 1, "one core has no room for a second");
    for (int i = 0; i < 40; i++) {
      TestServer.await(infer("hedged", new float[] {1, 2, 3, i}));
    }
    JsonObject end = hedge();
    for (int again = 0; again < 4 && decision(end, "execution_cut"); again++) {
      // The machine stood still until the first execution was late enough to be cut.
      JsonObject unused =
          next(
              event ->
                  decision(event, "instance_replaced")
                      && "hedged".equals(event.getString("model")));
      end = hedge();
    }
    assertThat(end.getString("decision")).isEqualTo("hedge_won");
    assertThat(end.getString("reason")).isEqualTo("first");
    assertThat(server.http().get("/v2/models/hedged/ready").status()).isEqualTo(200);
  }

  /** Holds the first execution of a request; returns the decision that ends its wait. */
  private static JsonObject hedge() throws InterruptedException {
    events.clear();
    try (Gate gate = Gate.holdOne("hedged")) {
      Future<float[]> answer = infer("hedged", new float[] {5, 6, 7, 8});
      gate.awaitArrival();
      assertThat(TestServer.await(answer)).containsExactly(5, 6, 7, 8);
      List<String> decisions = new ArrayList<>();
      JsonObject end =
          next(
              event -> {
                boolean ours = "hedged".equals(event.getString("model"));
                decisions.add(ours ? event.getString("decision") : "");
                return ours && (decision(event, "hedge_won") || decision(event, "execution_cut"));
              });
      if (decision(end, "hedge_won")) {
        assertThat(decisions).contains("request_hedged");
      }
      return end;
    }
  }

  /** Sends a full batch, one request of which is poisoned; returns the answers. */
  private static List<Future<float[]>> batch(String model, int at, Poison poison, float amount)
      throws InterruptedException {
    List<Future<float[]>> answers = new ArrayList<>();
    Future<float[]> first;
    try (Gate gate = Gate.shut(model)) {
      first = infer(model, new float[] {1, 2, 3, 4});
      gate.awaitArrival();
      for (int i = 0; i < BATCH; i++) {
        answers.add(infer(model, i == at ? row(poison, amount, i) : new float[] {1, 2, 3, i}));
      }
      server.awaitQueued(model, BATCH);
    }
    TestServer.await(first);
    return answers;
  }

  private static float[] row(Poison poison, float amount, int last) {
    return new float[] {poison.mark(), amount, 0, last};
  }

  private static void assertOnlyFails(List<Future<float[]>> answers, int at, String message) {
    for (int i = 0; i < answers.size(); i++) {
      Future<float[]> answer = answers.get(i);
      if (i == at) {
        assertThatThrownBy(() -> TestServer.await(answer)).hasMessageContaining(message);
      } else {
        assertThat(TestServer.await(answer)).containsExactly(1, 2, 3, i);
      }
    }
  }

  private static Future<float[]> infer(String model, float[] row) {
    return infer(InferenceClient.create(server.vertx()), model, row);
  }

  private static Future<float[]> infer(InferenceClient client, String model, float[] row) {
    Tensor input = Requests.tensor("INPUT0", row);
    return client
        .infer(model, List.of(input))
        .map(answer -> Requests.floats(answer.outputs().get(0)));
  }

  /** Or the model's memory would still be held when the server stops. */
  private static void awaitNoneHung(String model) {
    while (instances(model).contains("HUNG")) {
      Thread.onSpinWait();
    }
  }

  private static String instances(String model) {
    return server.http().get("/v2/models/" + model + "/instances").json().encode();
  }

  /** Returns the decisions about a model that the metrics count. */
  private static String counted(String model) {
    return new HttpCalls(server.server().metricsPort())
        .get("/metrics")
        .text()
        .lines()
        .filter(line -> line.startsWith("conveyor_isolation_decisions_total"))
        .filter(line -> line.contains("model=\"" + model + "\""))
        .collect(Collectors.joining("\n"));
  }

  private static long executions(String model) {
    return statistic(model, "execution_count");
  }

  private static long inferences(String model) {
    return statistic(model, "inference_count");
  }

  private static long statistic(String model, String name) {
    return server
        .http()
        .get("/v2/models/" + model + "/stats")
        .json()
        .getJsonArray("model_stats")
        .getJsonObject(0)
        .getLong(name);
  }

  private static boolean decision(JsonObject event, String decision) {
    return decision.equals(event.getString("decision"));
  }

  private static boolean reason(JsonObject event, String reason) {
    return reason.equals(event.getString("reason"));
  }

  private static JsonObject next(Predicate<JsonObject> wanted) throws InterruptedException {
    for (JsonObject event = events.poll(60, TimeUnit.SECONDS);
        event != null;
        event = events.poll(60, TimeUnit.SECONDS)) {
      if (wanted.test(event)) {
        return event;
      }
    }
    throw new AssertionError("no such event");
  }
}
