package dev.conveyor.verticles.isolation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.conveyor.verticles.server.Gate;
import dev.conveyor.verticles.server.TestModels;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.Future;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A model whose batches may run a second time. */
final class HedgedExecutionTest {

  private static final String MODEL = "hedged";

  @Test
  void shouldAnswerFromASecondInstanceWhenTheFirstTakesLong(@TempDir Path dir) throws Exception {
    assumeTrue(Runtime.getRuntime().availableProcessors() > 1, "one core has no room for a second");
    TestModels models =
        new TestModels(dir)
            .identity(MODEL, 4)
            .config(
                MODEL,
                """
                {"max_batch_size": 8, "instance_group": [{"kind": "KIND_CPU", "count": 2}],
                 "conveyor": {"intra_op_threads": 1, "hedging": {"max_share": 1}},
                 "parameters": {"test_gate": {"string_value": "hedged"}}}""");
    try (FaultyServer faulty = new FaultyServer(TestServer.start(models))) {
      faulty.learn(MODEL, 40);
      try (Gate gate = Gate.holdOne(MODEL)) {
        Future<float[]> answer = faulty.infer(MODEL, 5, 6, 7, 8);
        gate.awaitArrival();
        assertThat(TestServer.await(answer)).containsExactly(5, 6, 7, 8);
        faulty.next(MODEL, "request_hedged");
        assertThat(faulty.next(MODEL, "hedge_won").getString("reason")).isEqualTo("first");
      }
      assertThat(faulty.server().http().get("/v2/models/hedged/ready").status()).isEqualTo(200);
      faulty.assertIdle();
    }
  }
}
