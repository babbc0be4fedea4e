package dev.conveyor.verticles.instance;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.scheduler.SchedulerSnapshot;
import dev.conveyor.verticles.server.Gate;
import dev.conveyor.verticles.server.HttpCalls;
import dev.conveyor.verticles.server.HttpCalls.Answer;
import dev.conveyor.verticles.server.Requests;
import dev.conveyor.verticles.server.TestModels;
import dev.conveyor.verticles.server.TestServer;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A model that preserves ordering, on two instances. */
final class OrderedAnswersTest {

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
    try (TestServer server = TestServer.start(models)) {
      HttpCalls http = server.http();
      CompletableFuture<Answer> first;
      CompletableFuture<Answer> second;
      boolean early;
      try (Gate gate = Gate.holdOne("ordered")) {
        first = http.inferAsync("ordered", Requests.row(1, 2, 3, 4), new byte[0]);
        gate.awaitArrival();
        second = http.inferAsync("ordered", Requests.row(-1, 2, 3, 4), new byte[0]);
        server.awaitScheduler(now -> model(now).dispatchedBatches() == 2);
        server.awaitScheduler(now -> model(now).running() <= 1);
        assertThat(http.get("/v2/health/live").status()).isEqualTo(200);
        early = second.isDone();
        assertThat(answered(http)).as("counted, with the time they took").isZero();
      }
      assertThat(early).as("it has run, and waits for the first").isFalse();
      assertThat(first.get(60, TimeUnit.SECONDS).data().getFloat(0)).isEqualTo(1);
      assertThat(second.get(60, TimeUnit.SECONDS).data().getFloat(0)).isEqualTo(-1);
      assertThat(answered(http)).isEqualTo(2);
      server.assertIdle();
    }
  }

  private static int answered(HttpCalls http) {
    return http.get("/v2/models/ordered/stats")
        .json()
        .getJsonArray("model_stats")
        .getJsonObject(0)
        .getJsonObject("inference_stats")
        .getJsonObject("success")
        .getInteger("count");
  }

  private static SchedulerSnapshot.Model model(SchedulerSnapshot now) {
    return now.models().get(0);
  }
}
