package dev.conveyor.verticles.bench.load;

import dev.conveyor.models.TensorSpec;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * A connection with its own Vert.x, for callers that block.
 *
 * <p>Not thread-safe: owned by the thread that connects, which is no event loop.
 */
public final class LoadDriver implements AutoCloseable {

  private static final Duration CONNECT_LIMIT = Duration.ofMinutes(2);
  private static final Duration SLACK = Duration.ofMinutes(1);
  private static final long SLICE_MS = 1000;

  private final Vertx vertx;
  private final LoadConnection connection;

  private LoadDriver(Vertx vertx, LoadConnection connection) {
    this.vertx = vertx;
    this.connection = connection;
  }

  /** Connects to {@code target}; nothing is sent yet. */
  public static LoadDriver connect(LoadProtocol protocol, LoadTarget target)
      throws TimeoutException {
    Vertx vertx = Vertx.vertx(new VertxOptions().setPreferNativeTransport(true));
    try {
      return new LoadDriver(
          vertx, await(protocol.connect(vertx, target), CONNECT_LIMIT, "to connect"));
    } catch (RuntimeException | TimeoutException e) {
      vertx.close();
      throw e;
    }
  }

  /**
   * Lets the client have the cores first, so that what it adds itself is little; where the JVM
   * heeds priorities, which it does for root by the launcher's options.
   */
  @SuppressWarnings("ThreadPriorityCheck") // nothing but the figures depends on it
  public void goFirst() {
    for (int loop = 0; loop < VertxOptions.DEFAULT_EVENT_LOOP_POOL_SIZE; loop++) {
      vertx
          .getOrCreateContext() // of the loops by turns
          .runOnContext(v -> Thread.currentThread().setPriority(Thread.MAX_PRIORITY));
    }
  }

  /** Asks for the inputs of a model. */
  public List<TensorSpec> inputs(String model) throws TimeoutException {
    Promise<List<TensorSpec>> specs = Promise.promise();
    // Called from here, the steps after one that is done already would run on this thread, and the
    // answer could be over before anybody listens.
    vertx
        .getOrCreateContext()
        .runOnContext(v -> connection.inputs(model).onComplete(specs::tryComplete, specs::tryFail));
    return await(specs.future(), CONNECT_LIMIT, "to ask for the inputs of " + model);
  }

  /** Prepares a model to be put under load with these requests. */
  public Lane lane(String model, List<InferPayload> payloads) {
    return new Lane(model, connection.client(payloads), payloads.get(0).items());
  }

  /** Measures one point. */
  public LoadPoint run(List<Lane> lanes, LoadPlan plan) throws TimeoutException {
    return await(
        LoadRun.start(vertx, lanes, plan),
        plan.warmup().plus(plan.duration()).plus(SLACK),
        "the load");
  }

  /** Sends this many requests, so many at a time; fails with the first that fails. */
  public void send(Lane lane, int requests, int concurrency, Duration limit)
      throws TimeoutException {
    Promise<Void> done = Promise.promise();
    vertx
        .getOrCreateContext()
        .runOnContext(v -> new CountedRun(lane.client(), requests, done).start(concurrency));
    await(done.future(), limit, requests + " requests");
  }

  @Override
  public void close() {
    try {
      await(connection.close().eventually(vertx::close), SLACK, "to close");
    } catch (TimeoutException e) {
      throw new IllegalStateException("the client did not close within " + SLACK, e);
    }
  }

  /** Only time in which this process ran counts: being stopped for a while is not waiting. */
  private static <T> T await(Future<T> future, Duration limit, String what)
      throws TimeoutException {
    long leftMs = limit.toMillis();
    while (leftMs > SLICE_MS) {
      try {
        return future.await(SLICE_MS, TimeUnit.MILLISECONDS);
      } catch (TimeoutException e) {
        if (future.isComplete()) {
          throw e; // that is how it failed
        }
        leftMs -= SLICE_MS;
      }
    }
    try {
      return future.await(leftMs, TimeUnit.MILLISECONDS);
    } catch (TimeoutException e) {
      if (future.isComplete()) {
        throw e;
      }
      throw new TimeoutException("%s took more than %d s".formatted(what, limit.toSeconds()));
    }
  }
}
