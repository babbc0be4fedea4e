package dev.conveyor.verticles.supervisor;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.verticles.server.HttpCalls;
import dev.conveyor.verticles.server.HttpCalls.Answer;
import dev.conveyor.verticles.server.Requests;
import dev.conveyor.verticles.server.TestModels;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.json.JsonObject;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Room for a model that nobody evicts, and of which little is known before it is loaded. */
final class PinnedRoomTest {

  /** So wide that the slabs for 32 rows in and out hold 2 MiB; the file has a few bytes. */
  private static final int WIDTH = 8192;

  private static final int TWO_FIT_BYTES = 5 << 20;

  @Test
  void shouldEvictForAPinnedModelThatNeedsMoreThanItsFile(@TempDir Path dir) {
    TestModels models = new TestModels(dir).identity("pinned", WIDTH);
    for (String name : List.of("a", "b")) {
      models.identity(name, WIDTH);
      models.config(name, "{\"conveyor\": {\"residency\": \"on_demand\"}}");
    }
    JsonObject cpu = new JsonObject().put("memory_budget_bytes", TWO_FIT_BYTES);
    JsonObject devices = new JsonObject().put("cpu", cpu);
    try (TestServer server = TestServer.start(models, new JsonObject().put("devices", devices))) {
      HttpCalls http = server.http();
      assertThat(http.post("/v2/repository/models/pinned/unload", "").status()).isEqualTo(200);
      infer(http, "a");
      infer(http, "b");

      Answer loaded = http.post("/v2/repository/models/pinned/load", "");
      assertThat(loaded.status()).as(loaded::text).isEqualTo(200);
      infer(http, "pinned");
      JsonObject host = http.get("/v2/memory").json().getJsonArray("devices").getJsonObject(0);
      assertThat(host.getInteger("evictions")).as("one is enough").isEqualTo(1);
      server.assertIdle();
    }
  }

  private static void infer(HttpCalls http, String model) {
    byte[] data = Requests.counting(1, WIDTH);
    assertThat(http.infer(model, Requests.binary(WIDTH, "INPUT0"), data).binary()).isEqualTo(data);
  }
}
