package dev.conveyor.verticles.supervisor;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.DataType;
import dev.conveyor.verticles.server.HttpCalls.Answer;
import dev.conveyor.verticles.server.Requests;
import dev.conveyor.verticles.server.TestModels;
import dev.conveyor.verticles.server.TestServer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

final class WarmupTest {

  @TempDir private Path dir;

  @ParameterizedTest
  @EnumSource(DataType.class)
  void shouldWarmUpWithRandomDataOfEveryType(DataType type) {
    TestModels models = new TestModels(dir).identity("model", type, "batch", 3);
    models.config("model", config(type.configName(), "\"random_data\": true", 4));
    try (TestServer server = TestServer.start(models)) {
      Answer ready = server.http().get("/v2/models/model/ready");
      assertThat(ready.status()).as(ready::text).isEqualTo(200);
    }
  }

  @Test
  void shouldWarmUpWithTheDataOfAFile() throws IOException {
    TestModels models = new TestModels(dir).identity("model", 3);
    models.config("model", config("TYPE_FP32", "\"input_data_file\": \"rows\"", 2));
    Path file = dir.resolve("model/warmup/rows");
    Files.createDirectories(file.getParent());
    Files.write(file, Requests.counting(0, 6));
    try (TestServer server = TestServer.start(models)) {
      assertThat(server.http().get("/v2/models/model/ready").status()).isEqualTo(200);

      Files.write(file, Requests.counting(0, 5));
      Answer wrongSize = server.http().post("/v2/repository/models/model/load", "");
      assertThat(wrongSize.status()).isEqualTo(400);
      assertThat(wrongSize.error()).contains("rows").contains("20 bytes").contains("24");

      Files.delete(file);
      Answer missing = server.http().post("/v2/repository/models/model/load", "");
      assertThat(missing.status()).isEqualTo(400);
      assertThat(missing.error()).contains("rows").contains("no such file");
      assertThat(server.http().get("/v2/models/model/ready").status())
          .as("the old one serves on")
          .isEqualTo(200);
    }
  }

  private static String config(String type, String data, int batchSize) {
    return """
        {"max_batch_size": 4, "model_warmup": [{"name": "first", "batch_size": %d, "inputs":
         {"INPUT0": {"data_type": "%s", "dims": [3], %s}}}]}"""
        .formatted(batchSize, type, data);
  }
}
