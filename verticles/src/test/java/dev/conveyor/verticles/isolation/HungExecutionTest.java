package dev.conveyor.verticles.isolation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.verticles.chaos.Poison;
import dev.conveyor.verticles.server.Gate;
import dev.conveyor.verticles.server.TestModels;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.Future;
import io.vertx.core.json.JsonObject;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Executions that do not come back, in a server that takes them for hung as every server does. */
final class HungExecutionTest {

  /** So many, and the server knows how long a model takes. */
  private static final int ENOUGH = 12;

  @TempDir private static Path dir;
  private static FaultyServer faulty;

  @BeforeAll
  static void start() {
    TestModels models = new TestModels(dir);
    List.of("hung", "away", "back", "stuck").forEach(model -> FaultyServer.addModel(models, model));
    faulty = new FaultyServer(TestServer.startImpatient(models));
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
  void shouldRefuseRequestsWhenAReplacementDoesNotComeSoon() throws Exception {
    faulty.learn("away", ENOUGH);
    try (Gate gate = Gate.shut("away")) {
      Future<float[]> answer = faulty.infer("away", 5, 6, 7, 8);
      gate.awaitArrival();
      gate.awaitArrival(); // The replacement, in its warm-up.
      assertThatThrownBy(() -> TestServer.await(answer))
          .as("it does not wait until the replacement is there")
          .hasMessageContaining("'away' is not ready: an execution runs for");
      faulty.next("away", "model_unavailable");
      assertThat(status("/v2/models/away/ready")).isEqualTo(503);
      assertThat(status("/v2/health/ready")).isEqualTo(200);
    }
    faulty.next("away", "instance_replaced");
    assertThat(TestServer.await(faulty.infer("away", 1, 2, 3, 4))).containsExactly(1, 2, 3, 4);
    faulty.awaitNoneHung("away");
  }

  @Test
  void shouldNotBeReadyWhenTheThreadIsBackBeforeTheReplacementIsThere() throws Exception {
    faulty.learn("back", ENOUGH);
    try (Gate first = Gate.holdOne("back")) {
      Future<float[]> answer = faulty.infer("back", 5, 6, 7, 8);
      first.awaitArrival();
      try (Gate second = Gate.shut("back")) {
        second.awaitArrival(); // The replacement, in its warm-up.
        first.open();
        faulty.awaitNoneHung("back");

        assertThat(faulty.lines("back"))
            .singleElement()
            .satisfies(
                line -> {
                  assertThat(line.getString("state")).isEqualTo("QUARANTINED");
                  assertThat(line.getString("reason")).contains("an execution runs for");
                });
        assertThat(status("/v2/models/back/ready")).isEqualTo(503);
      }
      faulty.next("back", "instance_replaced");
      assertThat(faulty.lines("back"))
          .singleElement()
          .satisfies(line -> assertThat(line.getString("state")).isEqualTo("READY"));
      assertThat(status("/v2/models/back/ready")).isEqualTo(200);
      TestServer.awaitThat(answer::isComplete);
    }
  }

  @Test
  void shouldCutAHungExecutionAndRunItsRequestsElsewhere() throws Exception {
    faulty.learn("hung", ENOUGH);
    try (Gate gate = Gate.holdOne("hung")) {
      Future<float[]> answer = faulty.infer("hung", 5, 6, 7, 8);
      gate.awaitArrival();
      assertThat(TestServer.await(answer)).as("by another instance").containsExactly(5, 6, 7, 8);
      faulty.next("hung", "execution_cut");
      assertThat(faulty.instances("hung").encode()).as("the first is inside").contains("HUNG");
    }
    JsonObject replaced = faulty.next("hung", "instance_replaced");
    assertThat(replaced.getString("reason")).as("why it was necessary").isEqualTo("hung");
    assertThat(faulty.counted("hung"))
        .contains("decision=\"request_retried\",reason=\"instance_lost\"")
        .contains("decision=\"instance_quarantined\",reason=\"hung\"");
    assertThat(status("/v2/models/hung/ready")).isEqualTo(200);
    faulty.awaitNoneHung("hung");
  }

  @Test
  void shouldAnswerThoseThatRanBeforeOneThatHangs() throws Exception {
    faulty.learn("stuck", ENOUGH);
    // It hangs again when it runs alone on the next instance, after some of the others did. They
    // are not gathered at a gate: what is held there would be cut.
    List<Future<float[]>> answers = faulty.send("stuck", 20, Poison.SLEEP, 6000);
    FaultyServer.assertOnlyFails(answers, 20, "may be sent again");
    assertThat(faulty.failures("stuck")).as("lost with its instance").isEqualTo(1);
    assertThat(faulty.counted("stuck")).contains("decision=\"retry_refused\",reason=\"repeated\"");
    faulty.next("stuck", "execution_cut");
    faulty.awaitNoneHung("stuck");
  }

  private static int status(String path) {
    return faulty.server().http().get(path).status();
  }
}
