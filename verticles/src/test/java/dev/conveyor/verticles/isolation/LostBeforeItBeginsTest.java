package dev.conveyor.verticles.isolation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.verticles.server.Gate;
import dev.conveyor.verticles.server.GatedBackend;
import dev.conveyor.verticles.server.HttpCalls.Answer;
import dev.conveyor.verticles.server.Requests;
import dev.conveyor.verticles.server.TestModels;
import dev.conveyor.verticles.server.TestServer;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** An instance that is lost between being given a batch and beginning it. */
final class LostBeforeItBeginsTest {

  private static final String MODEL = "wide";

  /** So large that a request's inputs are in memory that is given back, and used again, by hand. */
  private static final int WIDTH = 50_000;

  @Test
  void shouldRunTheRequestElsewhereWithItsInputs(@TempDir Path dir) throws Exception {
    TestModels models =
        new TestModels(dir)
            .identity(MODEL, WIDTH)
            .config(MODEL, "{\"parameters\": {\"test_gate\": {\"string_value\": \"wide\"}}}");
    try (TestServer server = TestServer.start(models)) {
      assertThat(infer(server, 0).get(60, TimeUnit.SECONDS).status()).isEqualTo(200);
      CountDownLatch begin = new CountDownLatch(1);
      GatedBackend.occupy(MODEL, begin);
      CompletableFuture<Answer> given = infer(server, 1);
      server.awaitScheduler(now -> now.models().stream().anyMatch(m -> m.running() == 1));

      try (Gate gate = Gate.shut(MODEL)) {
        GatedBackend.lose(MODEL, "it is gone");
        TestServer.awaitThat(() -> !isReady(server));
        begin.countDown();
        server.awaitQueued(MODEL, 1); // until the gate lets its next instance warm up
        assertThat(server.server().requestMemory().leasedBytes())
            .as("what the second execution will read")
            .isGreaterThanOrEqualTo(4L * WIDTH);
      }

      Answer answer = given.get(60, TimeUnit.SECONDS);
      assertThat(answer.status()).as(answer::text).isEqualTo(200);
      assertThat(answer.binary()).isEqualTo(Requests.counting(1, WIDTH));
      server.assertIdle();
    }
  }

  private static boolean isReady(TestServer server) {
    return server.http().get("/v2/models/wide/instances").text().contains("READY");
  }

  private static CompletableFuture<Answer> infer(TestServer server, int first) {
    return server
        .http()
        .inferAsync(MODEL, Requests.binary(WIDTH, "INPUT0"), Requests.counting(first, WIDTH));
  }
}
