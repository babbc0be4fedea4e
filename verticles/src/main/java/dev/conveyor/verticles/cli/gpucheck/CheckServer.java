package dev.conveyor.verticles.cli.gpucheck;

import dev.conveyor.models.config.ServerConfig;
import dev.conveyor.models.config.ServerConfigReader;
import dev.conveyor.verticles.ConveyorServer;
import dev.conveyor.verticles.supervisor.SupervisorEvents;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;

/**
 * A whole server in this process, on free ports, with copies of one model under several names. Not
 * thread-safe: owned by the check, which blocks.
 */
final class CheckServer implements AutoCloseable {

  private static final int PATIENCE_SECONDS = 240;

  private final Vertx vertx;
  private final ConveyorServer server;

  private CheckServer(Vertx vertx, ConveyorServer server) {
    this.vertx = vertx;
    this.server = server;
  }

  /**
   * Puts a model into a repository.
   *
   * @param kind of its instance group
   * @param more of its configuration
   */
  static void add(Path repository, Subject subject, String name, String kind, JsonObject more)
      throws IOException {
    Path directory = Files.createDirectories(repository.resolve(name).resolve("1"));
    Files.copy(subject.file(), directory.resolve("model.onnx"));
    JsonObject config =
        new JsonObject()
            .put("max_batch_size", subject.maxBatchSize())
            .put("dynamic_batching", new JsonObject())
            .put("instance_group", new JsonArray().add(new JsonObject().put("kind", kind)))
            .mergeIn(more, true);
    Files.writeString(repository.resolve(name).resolve("config.json"), config.encode());
  }

  /** Starts it, with all its models. */
  static CheckServer start(Path repository) throws Exception {
    Vertx vertx = Vertx.vertx();
    try {
      ConveyorServer server = new ConveyorServer(vertx, config(repository), SupervisorEvents.NONE);
      await(server.start());
      return new CheckServer(vertx, server);
    } catch (Exception e) {
      await(vertx.close());
      throw e;
    }
  }

  private static ServerConfig config(Path repository) {
    JsonObject free = new JsonObject().put("host", "127.0.0.1").put("port", 0);
    return ServerConfigReader.read(
        "gpu-check",
        new JsonObject()
            .put("model_repository", repository.toString())
            .put("http", free)
            .put("grpc", free)
            .put("metrics", free)
            .encode());
  }

  Vertx vertx() {
    return vertx;
  }

  ConveyorServer server() {
    return server;
  }

  static <T> T await(Future<T> future) throws Exception {
    return future.toCompletionStage().toCompletableFuture().get(PATIENCE_SECONDS, TimeUnit.SECONDS);
  }

  /**
   * Stops it.
   *
   * @throws IllegalStateException if it does not stop
   */
  @Override
  public void close() {
    try {
      try {
        await(server.stop());
      } finally {
        await(vertx.close()); // Chained, it would be told of on a loop that it ends.
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (Exception e) {
      throw new IllegalStateException("the server does not stop", e);
    }
  }
}
