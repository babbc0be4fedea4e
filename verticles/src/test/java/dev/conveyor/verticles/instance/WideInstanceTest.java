package dev.conveyor.verticles.instance;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.verticles.server.HttpCalls.Answer;
import dev.conveyor.verticles.server.Requests;
import dev.conveyor.verticles.server.TestModels;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.json.JsonObject;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A model whose executions have one thread each, or both cores while nobody else wants one. */
final class WideInstanceTest {

  private static final int REQUESTS = 4;

  @TempDir private Path dir;

  @Test
  @Timeout(120)
  void shouldRunOnBothCoresWhileNobodyElseWantsOne() throws Exception {
    TestModels models =
        new TestModels(dir)
            .identity("model", 4)
            .config(
                "model",
                """
                {"instance_group": [{"kind": "KIND_CPU", "count": 2}],
                 "conveyor": {"idle_intra_op_threads": 2}}""");
    try (TestServer server = TestServer.start(models, twoCores())) {
      assertThat(server.server().budget().holders())
          .as("slabs of 32 rows, in and out, two instances, each for both sessions")
          .containsEntry("model/1/slabs", 2L * 2 * 2 * 32 * 4 * 4);
      for (int i = 0; i < REQUESTS; i++) {
        Answer answer = server.http().infer("model", Requests.row(i, 2, 3, 4));
        assertThat(answer.json().getJsonArray("outputs").getJsonObject(0).getJsonArray("data"))
            .containsExactly((double) i, 2.0, 3.0, 4.0);
        // The instance says that it is free after it has answered; all are wide, to learn.
        while (idle(server).getInteger("batches", 0) <= i) {
          Thread.onSpinWait();
        }
      }
      JsonObject idle = idle(server);
      assertThat(idle.getInteger("threads")).isEqualTo(2);
      assertThat(idle.getJsonArray("batch_sizes")).hasSize(1);

      assertThat(server.http().post("/v2/repository/models/model/unload", "{}").status())
          .isEqualTo(200);
      assertThat(server.server().budget().holders()).isEmpty();
      server.assertIdle();
    }
    try (TestServer again = TestServer.start(models, twoCores())) {
      JsonObject idle = idle(again);
      assertThat(idle.getInteger("batches")).isZero();
      assertThat(idle.getInteger("threads")).isEqualTo(2);
      assertThat(idle.getJsonArray("batch_sizes")).as("stored by the first server").hasSize(1);
    }
  }

  private static JsonObject idle(TestServer server) {
    return server
        .http()
        .get("/v2/models/model/profile")
        .json()
        .getJsonArray("devices")
        .getJsonObject(0)
        .getJsonObject("idle", new JsonObject());
  }

  private static JsonObject twoCores() {
    JsonObject cpu = new JsonObject().put("cores", 2);
    return new JsonObject().put("devices", new JsonObject().put("cpu", cpu));
  }
}
