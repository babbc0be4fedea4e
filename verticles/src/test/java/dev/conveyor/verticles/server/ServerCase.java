package dev.conveyor.verticles.server;

import io.vertx.core.json.JsonObject;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.io.TempDir;

/**
 * Tests that share a server, which is idle again after each of them. A class starts it with {@link
 * #serve} before all of them.
 *
 * <p>Classes run one after the other, so what is static here is that of the one that runs.
 */
public abstract class ServerCase {

  @TempDir protected static Path dir;
  protected static TestServer server;
  protected static HttpCalls http;

  /** Starts the server and loads every model. */
  protected static void serve(TestModels models) {
    serve(models, new JsonObject());
  }

  /** As {@link TestServer#start(TestModels, JsonObject)}. */
  protected static void serve(TestModels models, JsonObject settings) {
    server = TestServer.start(models, settings);
    http = server.http();
  }

  @AfterEach
  void nothingIsKept() {
    server.assertIdle();
  }

  @AfterAll
  static void stopServer() {
    TestServer served = server;
    server = null;
    served.close();
  }
}
