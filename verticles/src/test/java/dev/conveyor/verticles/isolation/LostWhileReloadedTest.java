package dev.conveyor.verticles.isolation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.verticles.bus.InferenceClient;
import dev.conveyor.verticles.server.Gate;
import dev.conveyor.verticles.server.HttpCalls.Answer;
import dev.conveyor.verticles.server.Requests;
import dev.conveyor.verticles.server.TestModels;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.Future;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** An instance that is lost while the model is being reloaded. */
final class LostWhileReloadedTest {

  private static final String MODEL = "moved";

  @Test
  void shouldRunARequestInTheNewDeploymentWhenTheOldOneLosesItsOnlyInstance(@TempDir Path dir)
      throws Exception {
    TestModels models =
        new TestModels(dir)
            .identity(MODEL, 4)
            .config(
                MODEL,
                """
                {"max_batch_size": 8,
                 "instance_group": [{"kind": "KIND_CPU", "count": 1}],
                 "parameters": {"test_gate": {"string_value": "moved"}}}\
                """);
    try (TestServer server = TestServer.startImpatient(models)) {
      long ofOne = server.server().budget().reservedBytes();
      InferenceClient client = InferenceClient.create(server.vertx());
      for (int i = 0; i < 12; i++) {
        TestServer.await(infer(client, 1, 2, 3, i)); // how long it takes is known by then
      }
      CompletableFuture<Answer> reloaded;
      try (Gate gate = Gate.holdOne(MODEL)) {
        Future<float[]> held = infer(client, 5, 6, 7, 8);
        gate.awaitArrival();
        reloaded =
            CompletableFuture.supplyAsync(
                () -> server.http().post("/v2/repository/models/" + MODEL + "/load", "{}"));

        assertThat(TestServer.await(held)).containsExactly(5, 6, 7, 8);
        assertThat(reloaded.get().status()).as("nobody waits for what hangs").isEqualTo(200);
      }
      assertThat(TestServer.await(infer(client, 1, 1, 1, 1))).containsExactly(1, 1, 1, 1);
      // What the old one held goes when its thread is back.
      TestServer.awaitThat(() -> server.server().budget().reservedBytes() == ofOne);
      server.assertIdle();
    }
  }

  private static Future<float[]> infer(InferenceClient client, float... row) {
    return client
        .infer(MODEL, List.of(Requests.tensor("INPUT0", row)))
        .map(answer -> Requests.floats(answer.outputs().get(0)));
  }
}
