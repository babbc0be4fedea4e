package dev.conveyor.verticles.server;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.config.ServerConfig;
import dev.conveyor.models.config.ServerConfigReader;
import dev.conveyor.scheduler.Addresses;
import dev.conveyor.scheduler.SchedulerSnapshot;
import dev.conveyor.scheduler.isolation.ExecutionLimit;
import dev.conveyor.verticles.ConveyorServer;
import dev.conveyor.verticles.supervisor.SupervisorEvents;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.eventbus.DeliveryOptions;
import io.vertx.core.json.JsonObject;
import java.nio.file.Path;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.BooleanSupplier;
import java.util.function.Predicate;

/**
 * A whole server in this JVM, on free loopback ports. Thread-safe.
 *
 * <p>It takes no execution for hung, unless it is {@link #startImpatient}: a test may hold one at a
 * {@link Gate} for as long as it takes to set its scene.
 *
 * <p>{@link #assertIdle} belongs after every test; {@link #close} stops the server and fails if it
 * kept memory: leases, reservations, or buffers that Netty saw being dropped.
 */
public final class TestServer implements AutoCloseable {

  private static final long PATIENCE_SECONDS = 60;

  /** Longer than a test holds an execution, on however slow a machine. */
  private static final ExecutionLimit PATIENT =
      new ExecutionLimit(TimeUnit.MINUTES.toNanos(10), TimeUnit.MINUTES.toNanos(10));

  private static final DeliveryOptions LOCAL = new DeliveryOptions().setLocalOnly(true);

  private final NettyLeaks leaks = NettyLeaks.listen();
  private final Vertx vertx;
  private final ConveyorServer server;

  private TestServer(Vertx vertx, ServerConfig config, ExecutionLimit limit) {
    this.vertx = vertx;
    this.server = new ConveyorServer(vertx, config, SupervisorEvents.NONE, limit);
  }

  /** Starts a server and loads every model. */
  public static TestServer start(TestModels models) {
    return start(models, new JsonObject());
  }

  /**
   * Starts a server and loads every model.
   *
   * @param settings of the server's file, such as {@code limits}; ports and repository are set here
   */
  public static TestServer start(TestModels models, JsonObject settings) {
    return start(models, settings, PATIENT);
  }

  /** Starts a server that takes executions for hung as every server does, and loads every model. */
  public static TestServer startImpatient(TestModels models) {
    return startImpatient(models, new JsonObject());
  }

  /** Starts a server that takes executions for hung as every server does, and loads every model. */
  public static TestServer startImpatient(TestModels models, JsonObject settings) {
    return start(models, settings, ExecutionLimit.DEFAULT);
  }

  private static TestServer start(TestModels models, JsonObject settings, ExecutionLimit limit) {
    Vertx vertx = Vertx.vertx(new VertxOptions().setEventLoopPoolSize(2));
    TestServer started = new TestServer(vertx, config(models.root(), settings), limit);
    await(started.server.start());
    return started;
  }

  /** Returns the configuration of a server on free loopback ports. */
  public static ServerConfig config(Path repository, JsonObject settings) {
    JsonObject free = new JsonObject().put("host", "127.0.0.1").put("port", 0);
    JsonObject all =
        new JsonObject()
            .put("model_repository", repository.toString())
            .put("http", free)
            .put("grpc", free)
            .put("metrics", free)
            .mergeIn(settings);
    return ServerConfigReader.read("test", all.encode());
  }

  public ConveyorServer server() {
    return server;
  }

  public Vertx vertx() {
    return vertx;
  }

  public int httpPort() {
    return server.httpPort();
  }

  public HttpCalls http() {
    return new HttpCalls(httpPort());
  }

  /** Waits until the scheduler's state is as wanted. */
  public void awaitScheduler(Predicate<SchedulerSnapshot> wanted) {
    long deadlineNs = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
    SchedulerSnapshot now = snapshot();
    while (!wanted.test(now)) {
      if (System.nanoTime() - deadlineNs > 0) {
        throw new AssertionError("the scheduler stays at " + now);
      }
      now = snapshot();
    }
  }

  /** Waits until something is true of which nobody tells. */
  public static void awaitThat(BooleanSupplier condition) {
    long deadlineNs = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
    while (!condition.getAsBoolean()) {
      if (System.nanoTime() - deadlineNs > 0) {
        throw new AssertionError("it did not become true");
      }
      Thread.onSpinWait();
    }
  }

  /** Waits until so many requests of a model stand in its queue. */
  public void awaitQueued(String model, int requests) {
    awaitScheduler(
        now ->
            now.models().stream()
                    .filter(m -> m.key().startsWith(model + "/"))
                    .mapToInt(SchedulerSnapshot.Model::queuedRequests)
                    .sum()
                == requests);
  }

  /** Waits until nothing is queued or runs, and fails if a request left memory behind. */
  public void assertIdle() {
    awaitScheduler(
        now ->
            now.models().stream().allMatch(m -> m.queuedRequests() == 0 && m.running() == 0)
                && server.requestMemory().leasedBytes() == 0);
    assertThat(leaks.heard()).as("buffers that Netty saw being dropped").isEmpty();
  }

  /** Stops the server, leaving {@link #vertx} running. */
  public void stop() {
    await(server.stop());
    assertThat(server.requestMemory().leasedBytes()).as("memory of requests").isZero();
    assertThat(server.budget().holders()).as("memory of models").isEmpty();
    assertThat(server.budget().reservedBytes()).as("memory of models").isZero();
  }

  @Override
  public void close() {
    try {
      stop();
    } finally {
      await(vertx.close());
    }
    assertThat(leaks.reports()).as("buffers that Netty saw being dropped").isEmpty();
    leaks.close();
  }

  /** Waits for a future; what it fails with is thrown as the cause of an {@link AssertionError}. */
  public static <T> T await(Future<T> future) {
    try {
      return future
          .toCompletionStage()
          .toCompletableFuture()
          .get(PATIENCE_SECONDS, TimeUnit.SECONDS);
    } catch (ExecutionException e) {
      throw new AssertionError(e.getCause());
    } catch (TimeoutException e) {
      throw new AssertionError("did not complete", e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError(e);
    }
  }

  private SchedulerSnapshot snapshot() {
    return await(vertx.eventBus().<SchedulerSnapshot>request(Addresses.SNAPSHOT, "", LOCAL)).body();
  }
}
