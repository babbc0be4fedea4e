package dev.conveyor.verticles.supervisor;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.verticles.server.TestModels;
import dev.conveyor.verticles.server.TestServer;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a server says of itself when the models of its repository cannot be loaded. */
final class FirstLoadsTest {

  private static final String MODEL = "model";

  @TempDir private Path dir;

  @Test
  void shouldNotBeReadyBeforeAModelServesWhenEveryFirstLoadHasFailed() throws Exception {
    TestModels models = new TestModels(dir).identity(MODEL, 4);
    byte[] good = Files.readAllBytes(models.file(MODEL, 1));
    Files.writeString(models.file(MODEL, 1), "no model");
    try (TestServer server = TestServer.start(models)) {
      assertThat(ready(server)).isEqualTo(503);
      assertThat(server.http().get("/v2/health/live").status()).isEqualTo(200);

      Files.write(models.file(MODEL, 1), good);
      assertThat(change(server, "load")).isEqualTo(200);
      assertThat(ready(server)).isEqualTo(200);
      assertThat(change(server, "unload")).isEqualTo(200);
      assertThat(ready(server)).as("empty on purpose").isEqualTo(200);
    }
  }

  private static int ready(TestServer server) {
    return server.http().get("/v2/health/ready").status();
  }

  private static int change(TestServer server, String what) {
    return server.http().post("/v2/repository/models/" + MODEL + "/" + what, "").status();
  }
}
