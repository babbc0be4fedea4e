package dev.conveyor.verticles.http;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.verticles.server.RawConnection;
import dev.conveyor.verticles.server.TestModels;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.json.JsonObject;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class ConnectionLimitTest {

  private static final String LIVE = "GET /v2/health/live HTTP/1.1\r\nhost: x\r\n\r\n";

  @TempDir private Path dir;

  @Test
  void shouldCloseConnectionsBeyondTheLimitUntilOthersClose() throws IOException {
    Files.createDirectories(dir);
    JsonObject limits = new JsonObject().put("max_connections", 1);
    try (TestServer server =
        TestServer.start(new TestModels(dir), new JsonObject().put("limits", limits))) {
      try (RawConnection first = new RawConnection(server.httpPort())) {
        assertThat(first.send(LIVE).statusLine()).isEqualTo("HTTP/1.1 200 OK");
        try (RawConnection second = new RawConnection(server.httpPort())) {
          assertThat(second.send(LIVE).statusLine()).isEmpty();
        }
      }
      String status = "";
      while (status.isEmpty()) {
        // The server hears of the first one's end in its own time.
        try (RawConnection again = new RawConnection(server.httpPort())) {
          status = again.send(LIVE).statusLine();
        } catch (IOException e) {
          status = "";
        }
      }
      assertThat(status).isEqualTo("HTTP/1.1 200 OK");
    }
  }

  @Test
  void shouldLetInAllThatComeAtOnce() throws IOException {
    Files.createDirectories(dir);
    List<RawConnection> all = new ArrayList<>();
    try (TestServer server = TestServer.start(new TestModels(dir), new JsonObject())) {
      for (int i = 0; i < 200; i++) {
        all.add(new RawConnection(server.httpPort()));
      }
      for (RawConnection connection : all) {
        assertThat(connection.send(LIVE).statusLine()).isEqualTo("HTTP/1.1 200 OK");
      }
    } finally {
      for (RawConnection connection : all) {
        connection.close();
      }
    }
  }
}
