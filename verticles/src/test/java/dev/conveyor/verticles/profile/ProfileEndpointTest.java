package dev.conveyor.verticles.profile;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.verticles.server.HttpCalls.Answer;
import dev.conveyor.verticles.server.TestModels;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class ProfileEndpointTest {

  private static final String REQUEST =
      """
      {"inputs": [{"name": "INPUT0", "datatype": "FP32", "shape": [1, 3], "data": [1, 2, 3]}]}""";

  @TempDir private Path dir;

  @Test
  void shouldKnowTheCostsOfEverySizeBeforeTheFirstRequestAndKeepThemAcrossServers() {
    TestModels models =
        new TestModels(dir)
            .identity("model", 3)
            .config(
                "model",
                """
                {"max_batch_size": 6, "dynamic_batching": {"preferred_batch_size": [3]}}""");
    Path file = dir.resolve("model/1/profile-CPU.json");
    int samples;
    try (TestServer server = TestServer.start(models)) {
      JsonObject device = device(server, "/v2/models/model/profile");

      assertThat(device.getString("seed")).isEqualTo("warm_up");
      JsonArray sizes = device.getJsonArray("batch_sizes");
      assertThat(sizes.stream().map(size -> ((JsonObject) size).getInteger("batch_size")))
          .containsExactly(1, 2, 3, 4, 6);
      for (Object each : sizes) {
        JsonObject size = (JsonObject) each;
        assertThat(size.getInteger("samples")).isEqualTo(2);
        assertThat(size.getDouble("median_us")).isPositive();
        assertThat(size.getDouble("predicted_p99_us"))
            .isGreaterThanOrEqualTo(size.getDouble("predicted_us"));
      }
      assertThat(device.getJsonObject("occupancy").getInteger("batches_at_once")).isPositive();
      assertThat(device.getJsonObject("occupancy").getJsonArray("stretch").getDouble(0))
          .isEqualTo(1);
      assertThat(device.getJsonObject("accuracy").getInteger("batches")).isZero();

      for (int i = 0; i < 5; i++) {
        assertThat(server.http().post("/v2/models/model/infer", REQUEST).status()).isEqualTo(200);
      }
      JsonObject after = device(server, "/v2/models/model/versions/1/profile");
      // All, or those since the costs turned out to be others than those of the warm-up.
      samples = after.getJsonArray("batch_sizes").getJsonObject(0).getInteger("samples");
      assertThat(samples).isBetween(3, 7);
      assertThat(after.getJsonObject("accuracy").getInteger("batches")).isEqualTo(5);
      assertThat(after.getJsonObject("accuracy").getDouble("median_error")).isNotNegative();
      assertThat(file).doesNotExist();
    }
    assertThat(file).exists();

    try (TestServer again = TestServer.start(models)) {
      JsonObject device = device(again, "/v2/models/model/profile");
      assertThat(device.getString("seed")).isEqualTo("stored");
      assertThat(device.getJsonArray("batch_sizes").getJsonObject(0).getInteger("samples"))
          .isEqualTo(samples);
    }
  }

  @Test
  void shouldSayHowTheObjectiveIsKept() {
    TestModels models =
        new TestModels(dir)
            .identity("model", 3)
            .config("model", "{\"conveyor\": {\"latency_objective_microseconds\": 60000000}}")
            .identity("other", 3);
    try (TestServer server = TestServer.start(models)) {
      assertThat(server.http().post("/v2/models/model/infer", REQUEST).status()).isEqualTo(200);
      assertThat(server.http().get("/v2/models/model/profile").json().getJsonObject("objective"))
          .isEqualTo(
              new JsonObject()
                  .put("latency_objective_us", 60_000_000)
                  .put("answered_inside", 1)
                  .put("answered_late", 0)
                  .put("refused", 0)
                  .put("share_inside", 1.0));
      assertThat(server.http().get("/v2/models/other/profile").json().containsKey("objective"))
          .isFalse();
    }
  }

  @Test
  void shouldMeasureAgainWhenTheModelHasChanged() throws Exception {
    TestModels models = new TestModels(dir).identity("model", 3);
    TestServer.start(models).close();
    Path file = dir.resolve("model/1/profile-CPU.json");
    String before = Files.readString(file);

    models.identity("model", 4);
    try (TestServer server = TestServer.start(models)) {
      assertThat(device(server, "/v2/models/model/profile").getString("seed")).isEqualTo("warm_up");
    }
    assertThat(Files.readString(file)).isNotEqualTo(before);
  }

  @Test
  void shouldNeitherWarmUpNorStoreIfToldSo() {
    JsonObject settings =
        new JsonObject().put("profiles", new JsonObject().put("warmup_ms", 0).put("stored", false));
    TestModels models = new TestModels(dir).identity("model", 3);
    try (TestServer server = TestServer.start(models, settings)) {
      assertThat(server.http().post("/v2/models/model/infer", REQUEST).status()).isEqualTo(200);
      assertThat(device(server, "/v2/models/model/profile").getString("seed")).isEqualTo("none");
    }
    assertThat(dir.resolve("model/1/profile-CPU.json")).doesNotExist();
  }

  @Test
  void shouldAnswer404ForAModelThatIsNotThere() {
    try (TestServer server = TestServer.start(new TestModels(dir).identity("model", 3))) {
      assertThat(server.http().get("/v2/models/other/profile").status()).isEqualTo(404);
      assertThat(server.http().get("/v2/models/model/versions/7/profile").status()).isEqualTo(404);
    }
  }

  private static JsonObject device(TestServer server, String path) {
    Answer answer = server.http().get(path);
    assertThat(answer.status()).as(answer::text).isEqualTo(200);
    JsonObject json = new JsonObject(answer.text());
    assertThat(json.getString("model_name")).isEqualTo("model");
    assertThat(json.getString("model_version")).isEqualTo("1");
    assertThat(json.getJsonArray("devices")).hasSize(1);
    JsonObject device = json.getJsonArray("devices").getJsonObject(0);
    assertThat(device.getString("device")).isEqualTo("CPU");
    return device;
  }
}
