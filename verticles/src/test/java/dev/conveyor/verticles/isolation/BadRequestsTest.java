package dev.conveyor.verticles.isolation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.verticles.bus.InferenceClient;
import dev.conveyor.verticles.chaos.Poison;
import dev.conveyor.verticles.server.Gate;
import dev.conveyor.verticles.server.TestModels;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.Future;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Requests that fail their batches or make instances sick, in a whole server. */
final class BadRequestsTest {

  private static final int BATCH = FaultyServer.BATCH;

  @TempDir private static Path dir;
  private static FaultyServer faulty;

  @BeforeAll
  static void start() {
    TestModels models = new TestModels(dir);
    List.of("batched", "several", "late", "failing", "memory", "sick")
        .forEach(model -> FaultyServer.addModel(models, model));
    faulty = new FaultyServer(TestServer.start(models));
  }

  @AfterEach
  void shouldBeIdle() {
    faulty.assertIdle();
  }

  @AfterAll
  static void stop() {
    faulty.close();
  }

  @Test
  void shouldAnswerEveryoneInABatchButTheCulprit() throws Exception {
    long before = executions();
    List<Future<float[]>> answers = faulty.batch("batched", 17, Poison.EXCEPTION, 0);
    FaultyServer.assertOnlyFails(answers, 17, "chaos: poison in the batch");
    assertThat(executions() - before)
        .as("parts that succeeded; with those that failed at most 2 log2 32")
        .isBetween(1L, 11L);
    faulty.next("batched", "request_blamed");

    answers = faulty.batch("batched", 17, Poison.EXCEPTION, 0);
    FaultyServer.assertOnlyFails(answers, 17, "chaos: poison in the batch");
    faulty.next("batched", "suspect_isolated");
  }

  /** Returns how often a model ran that is not running. */
  private static long executions() {
    faulty.server().assertIdle();
    return faulty.statistic("batched", "execution_count");
  }

  @Test
  void shouldAnswerEveryoneButTheCulpritsWhenThereAreMany() throws Exception {
    Set<Integer> culprits = Set.of(1, 4, 7, 8, 13, 18, 22, 25, 29, 31);
    List<Future<float[]>> answers = new ArrayList<>();
    Future<float[]> first;
    try (Gate gate = Gate.shut("several")) {
      first = faulty.infer("several", 1, 2, 3, 4);
      gate.awaitArrival();
      for (int i = 0; i < BATCH; i++) {
        answers.add(
            culprits.contains(i)
                ? faulty.infer("several", FaultyServer.row(Poison.EXCEPTION, 0, i))
                : faulty.infer("several", 1, 2, 3, i));
      }
      faulty.server().awaitQueued("several", BATCH);
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
    faulty.next("several", "batch_split", "several_culprits"::equals);
  }

  @Test
  void shouldNotRunRequestsAgainWhoseDeadlineHasPassed() throws Exception {
    long lateMs = 700;
    while (!runOnlyThePatientAgain(lateMs)) {
      lateMs *= 2;
    }
  }

  /** Returns false if the deadline passed before the batch had begun. */
  private static boolean runOnlyThePatientAgain(long lateMs) throws Exception {
    final long inferences = faulty.statistic("late", "inference_count");
    Gate before = Gate.shut("late");
    Future<float[]> first = faulty.infer("late", 1, 2, 3, 4);
    before.awaitArrival();
    InferenceClient hasty = InferenceClient.create(faulty.server().vertx(), "conveyor", lateMs);
    List<Future<float[]>> late = new ArrayList<>();
    List<Future<float[]>> patient = new ArrayList<>();
    for (int i = 0; i < 8; i++) {
      boolean bad = i == 3;
      patient.add(
          bad
              ? faulty.infer("late", FaultyServer.row(Poison.EXCEPTION, (float) lateMs, i))
              : faulty.infer("late", 1, 2, 3, i));
      late.add(FaultyServer.infer(hasty, "late", 1, 2, 3, i));
    }
    faulty
        .server()
        .awaitScheduler(
            now ->
                late.stream().anyMatch(Future::isComplete)
                    || now.models().stream().anyMatch(model -> model.queuedRequests() == 16));
    // A deadline counts from when the server has the request; by now it has them all.
    long deadlineNs = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(lateMs);
    boolean inTime;
    try (Gate gate = Gate.shut("late")) {
      before.open();
      gate.awaitArrival();
      inTime = late.stream().noneMatch(Future::isComplete);
      TestServer.awaitThat(() -> System.nanoTime() - deadlineNs > 0);
    }
    TestServer.await(first);
    FaultyServer.assertOnlyFails(patient, 3, "chaos: poison in the batch");
    for (Future<float[]> answer : late) {
      assertThatThrownBy(() -> TestServer.await(answer)).isInstanceOf(AssertionError.class);
    }
    faulty.server().assertIdle();
    if (inTime) {
      assertThat(faulty.statistic("late", "inference_count") - inferences)
          .as("the first and seven that wait; those whose clients had gone were not run again")
          .isEqualTo(8);
    }
    return inTime;
  }

  @Test
  void shouldReplaceOnceAnInstanceThatRunsNothingButTheSyntheticBatch() throws Exception {
    for (int i = 0; i < 12; i++) {
      float[] bad = FaultyServer.row(Poison.EXCEPTION, i, i);
      assertThatThrownBy(() -> TestServer.await(faulty.infer("failing", bad)))
          .as("request %d", i)
          .hasMessageContaining("chaos: poison in the batch");
    }
    JsonObject probed = faulty.next("failing", "instance_probed", reason -> !"well".equals(reason));
    assertThat(probed.getString("reason")).isEqualTo("failing");
    faulty.next("failing", "instance_replaced");
    assertThat(faulty.instances("failing").getJsonArray("instances"))
        .singleElement()
        .satisfies(
            line ->
                assertThat(((JsonObject) line).getInteger("index"))
                    .as("replaced once")
                    .isEqualTo(1));
    assertThat(TestServer.await(faulty.infer("failing", 1, 2, 3, 4))).containsExactly(1, 2, 3, 4);
  }

  @Test
  void shouldRefuseOutputsThatAreNotWhatTheModelDeclares() throws Exception {
    List<Future<float[]>> answers = faulty.batch("batched", 0, Poison.SHAPE, 0);
    FaultyServer.assertOnlyFails(answers, 0, "output 'OUTPUT0' is FP32 [1,3]");
  }

  @Test
  void shouldRefuseOutputsThatAreNotFiniteWhereThatIsAsked() throws Exception {
    List<Future<float[]>> answers = faulty.batch("batched", 12, Poison.NAN, 0);
    FaultyServer.assertOnlyFails(answers, 12, "output 'OUTPUT0' is not finite at element 0");
    faulty.next("batched", "output_refused", "non_finite"::equals);
    float[] notAsked = TestServer.await(faulty.infer("memory", FaultyServer.row(Poison.NAN, 0, 0)));
    assertThat(notAsked[0]).as("not asked").isNaN();
  }

  @Test
  void shouldSurviveAnErrorInTheBackend() throws Exception {
    long before = faulty.failures("batched");
    List<Future<float[]>> answers = faulty.batch("batched", 31, Poison.ERROR, 0);
    FaultyServer.assertOnlyFails(answers, 31, "chaos: an error in the backend");
    assertThat(faulty.failures("batched") - before).isEqualTo(1);
  }

  @Test
  void shouldRunSmallerBatchesAndBlameNobodyWhenMemoryRunsOut() throws Exception {
    List<Future<float[]>> answers = faulty.batch("memory", 5, Poison.OUT_OF_MEMORY, 8);
    for (int i = 0; i < BATCH; i++) {
      float[] answer = TestServer.await(answers.get(i));
      assertThat(answer[3]).isEqualTo(i);
    }
    faulty.next("memory", "batch_halved", "out_of_memory"::equals);
  }

  @Test
  void shouldReplaceASickInstanceAndLoseNoOtherRequest() throws Exception {
    // It makes an instance sick, is run again alone, and makes the next one sick, too.
    List<Future<float[]>> answers = faulty.batch("sick", 9, Poison.SICKNESS, 0);
    FaultyServer.assertOnlyFails(answers, 9, "may be sent again: its batches fail");
    assertThat(TestServer.await(faulty.infer("sick", 1, 2, 3, 4))).containsExactly(1, 2, 3, 4);
    faulty.next("sick", "instance_probed", "sick"::equals);
    faulty.next("sick", "instance_replaced");
    JsonObject instances = faulty.instances("sick");
    assertThat(instances.getBoolean("ready")).isTrue();
    JsonArray lines = instances.getJsonArray("instances");
    assertThat(lines).hasSize(1);
    assertThat(lines.getJsonObject(0).getInteger("index")).isEqualTo(2);
    assertThat(lines.getJsonObject(0).getString("state")).isEqualTo("READY");
  }
}
