package dev.conveyor.verticles.instance;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.scheduler.SchedulerSnapshot;
import dev.conveyor.verticles.server.Gate;
import dev.conveyor.verticles.server.HttpCalls;
import dev.conveyor.verticles.server.HttpCalls.Answer;
import dev.conveyor.verticles.server.Requests;
import dev.conveyor.verticles.server.TestModels;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.json.JsonObject;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A model that preserves ordering, on two instances. */
final class OrderedAnswersTest {

  private static final int MOST_TRIES = 5;

  @TempDir private Path dir;

  @Test
  void shouldRunSideBySideAndHoldTheAnswerThatIsEarly() throws Exception {
    TestModels models =
        new TestModels(dir)
            .identity("ordered", 4)
            .config(
                "ordered",
                """
                {"max_batch_size": 1, "parameters": {"test_gate": {"string_value": "ordered"}},
                 "instance_group": [{"kind": "KIND_CPU", "count": 2}],
                 "dynamic_batching": {"preserve_ordering": true}}""");
    // An execution that stands before a gate looks hung to a model that is known.
    JsonObject unknown =
        new JsonObject().put("profiles", new JsonObject().put("warmup_ms", 0).put("stored", false));
    try (TestServer server = TestServer.start(models, unknown)) {
      boolean held = holdsTheSecond(server, 1);
      for (int i = 2; i <= MOST_TRIES && !held; i++) {
        held = holdsTheSecond(server, i);
      }
      assertThat(held).isTrue();
      server.assertIdle();
    }
  }

  /**
   * Returns false if the first execution was cut before the second had run: the machine stood still
   * for a second.
   */
  private static boolean holdsTheSecond(TestServer server, int number) throws Exception {
    HttpCalls http = server.http();
    CompletableFuture<Answer> first;
    CompletableFuture<Answer> second;
    boolean early;
    try (Gate gate = Gate.holdOne("ordered")) {
      first = http.inferAsync("ordered", Requests.row(number, 2, 3, 4), new byte[0]);
      gate.awaitArrival();
      second = http.inferAsync("ordered", Requests.row(-number, 2, 3, 4), new byte[0]);
      server.awaitScheduler(now -> model(now).dispatchedBatches() == 2L * number);
      server.awaitScheduler(now -> model(now).running() <= 1);
      assertThat(http.get("/v2/health/live").status()).isEqualTo(200);
      early = second.isDone();
    }
    Answer held = second.get(60, TimeUnit.SECONDS);
    if (first.get(60, TimeUnit.SECONDS).status() == 503) {
      return false;
    }
    assertThat(early).as("it has run, and waits for the first").isFalse();
    assertThat(first.get().data().getFloat(0)).isEqualTo(number);
    assertThat(held.data().getFloat(0)).isEqualTo(-number);
    return true;
  }

  private static SchedulerSnapshot.Model model(SchedulerSnapshot now) {
    return now.models().get(0);
  }
}
