package dev.conveyor.verticles.instance;

import dev.conveyor.models.backend.ModelExecutor;
import dev.conveyor.scheduler.Addresses;
import dev.conveyor.scheduler.Batch;
import dev.conveyor.scheduler.BatchOutcome;
import dev.conveyor.scheduler.InferenceRequest;
import dev.conveyor.scheduler.InstanceLost;
import dev.conveyor.scheduler.SchedulerCommand;
import dev.conveyor.scheduler.isolation.CircuitBreaker;
import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.isolation.Decision;
import io.vertx.core.DeploymentOptions;
import io.vertx.core.Future;
import io.vertx.core.ThreadingModel;
import io.vertx.core.VerticleBase;
import io.vertx.core.eventbus.DeliveryOptions;
import io.vertx.core.eventbus.EventBus;
import io.vertx.core.eventbus.Message;
import io.vertx.core.eventbus.MessageConsumer;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Actor that runs the batches of one model instance: gather, execute, scatter.
 *
 * <p>Owns its executor, and with it the instance's slabs and stream. Everything here runs on one
 * thread, because executors belong to a thread: deploy it with {@link #deploymentOptions}, whose
 * worker pool has a single thread that nothing else uses. Only {@link #cancel} may be called from
 * elsewhere.
 *
 * <p>Receives {@link Batch} at {@link Addresses#instance}. Answers each request through its own
 * {@code ReplyTo} and closes it, then replies to the scheduler, always: the reply is the credit for
 * the next batch. An exception must not leave the handler, because Vert.x would turn it into a
 * timeout.
 *
 * <p>When a batch fails and nothing shows that its inputs are to blame, it runs a synthetic one. If
 * that fails too it is sick, and says so by refusing the message instead of replying; whatever was
 * not answered then is the scheduler's again. It counts failures besides: when they are too many it
 * is replaced even if the synthetic batch runs, once, before so many inputs are blamed.
 */
public final class InstanceVerticle extends VerticleBase {

  private static final int MAX_BATCH_SECONDS = 60;

  private static final DeliveryOptions LOCAL = new DeliveryOptions().setLocalOnly(true);

  /** Failure code of a batch whose instance can run no more. */
  private static final int SICK = 1;

  private final ServedModel served;
  private final int index;
  private final Supplier<ModelExecutor> factory;
  private final Consumer<ModelExecutor> probe;
  private final Isolation isolation;
  private final CircuitBreaker breaker;
  private volatile @Nullable ModelExecutor executor;
  private volatile @Nullable BatchRunner runner;
  private @Nullable MessageConsumer<Batch> batches;
  private volatile boolean stopped;
  private volatile boolean running;
  private volatile boolean lost;

  /** The failure of the batch in progress was counted. */
  private boolean counted;

  /**
   * Creates the actor.
   *
   * @param index number of the instance within the version
   * @param factory called once, on the instance's thread
   * @param probe runs a synthetic batch, on the instance's thread; throws if it fails
   * @param breaker says when its failures are too many
   */
  public InstanceVerticle(
      ServedModel served,
      int index,
      Supplier<ModelExecutor> factory,
      Consumer<ModelExecutor> probe,
      Isolation isolation,
      CircuitBreaker breaker) {
    this.served = served;
    this.index = index;
    this.factory = factory;
    this.probe = probe;
    this.isolation = isolation;
    this.breaker = breaker;
  }

  /** A pool of one thread, named after the instance so that no other verticle shares it. */
  public static DeploymentOptions deploymentOptions(String key, int index) {
    return new DeploymentOptions()
        .setThreadingModel(ThreadingModel.WORKER)
        .setWorkerPoolName("instance-" + key + "-" + index)
        .setWorkerPoolSize(1)
        .setMaxWorkerExecuteTime(MAX_BATCH_SECONDS)
        .setMaxWorkerExecuteTimeUnit(TimeUnit.SECONDS);
  }

  @Override
  public Future<?> start() {
    ModelExecutor made = factory.get();
    executor = made;
    runner = new BatchRunner(served, made, isolation, this::isSick);
    batches =
        vertx.eventBus().localConsumer(Addresses.instance(served.key(), index), this::onBatch);
    made.whenLost(this::onLoss);
    return batches.completion();
  }

  /**
   * Called on any thread. If no batch runs here this is told at once: where several instances are
   * lost together, the requests of one that ran a batch must not be tried again on another of them.
   */
  private void onLoss(String why) {
    lost = true;
    if (running) {
      context.runOnContext(v -> onExecutorLost(why));
    } else {
      onExecutorLost(why);
    }
  }

  /**
   * What runs the batches is gone, such as a worker process that was killed while it had nothing to
   * do: no batch needs to find that out. A batch that did has said so before.
   */
  private void onExecutorLost(String why) {
    if (!stopped) {
      EventBus bus = vertx.eventBus();
      bus.send(Addresses.CONTROL, new SchedulerCommand.InstanceGone(served.key(), index), LOCAL);
      bus.send(
          Addresses.LOST,
          new InstanceLost(served.key(), index, InstanceLost.Cause.GONE, why),
          LOCAL);
    }
  }

  @Override
  public Future<?> stop() {
    stopped = true;
    Future<?> unregistered = batches == null ? Future.succeededFuture() : batches.unregister();
    ModelExecutor made = executor;
    if (made != null) {
      made.close();
    }
    return unregistered;
  }

  /**
   * Asks the execution in progress to end soon. From any thread; the instance is of no use after.
   */
  public void cancel() {
    BatchRunner current = runner;
    ModelExecutor made = executor;
    if (current != null && made != null) {
      current.cancel();
      made.cancel();
    }
  }

  /** Returns true once what runs its batches is gone, by itself. From any thread. */
  public boolean isLost() {
    return lost;
  }

  /** Returns in one word how its executor was lost; empty if it was not. From any thread. */
  public String lossCause() {
    ModelExecutor made = executor;
    return made == null ? "" : made.lossCause();
  }

  /** Returns the process that it runs its batches in; 0 if that is this one. From any thread. */
  public long processId() {
    ModelExecutor made = executor;
    return made == null ? 0 : made.processId();
  }

  private void onBatch(Message<Batch> message) {
    running = true;
    try {
      run(message);
    } finally {
      running = false;
    }
  }

  @SuppressWarnings("NullAway") // the runner is set by start(), which precedes every message
  private void run(Message<Batch> message) {
    Batch batch = message.body();
    BatchOutcome outcome;
    counted = false;
    try {
      outcome = runner.run(batch, System.nanoTime());
    } catch (Throwable e) {
      if (runner.isCancelled()) {
        // Nobody waits for the reply any more; this instance is the last that read the inputs.
        batch.requests().forEach(InferenceRequest::close);
      }
      message.fail(SICK, String.valueOf(e.getMessage()));
      return;
    }
    if (outcome.succeeded() || outcome.items() > 0) {
      boolean unused = breaker.record(true);
    }
    batch.requests().forEach(InferenceRequest::close);
    message.reply(outcome);
    batch.linger().await();
  }

  /** Runs a synthetic batch to tell a sick instance from bad inputs, and counts. */
  @SuppressWarnings("NullAway") // as above
  private boolean isSick(String failure, boolean nothingWorked) {
    boolean onTrial = breaker.isOnTrial();
    boolean tripped = nothingWorked && !counted && breaker.record(false);
    counted |= nothingWorked;
    if (!isolation.canProbe()) {
      return tripped;
    }
    try {
      probe.accept(executor);
    } catch (Throwable e) {
      decidedOnProbe("sick", e.getMessage());
      return true;
    }
    if (tripped && !onTrial && isolation.mayReplaceWell(System.nanoTime())) {
      decidedOnProbe("failing", "it runs the synthetic batch and nothing else: " + failure);
      return true;
    }
    decidedOnProbe("well", "it is the inputs: " + failure);
    return false;
  }

  private void decidedOnProbe(String reason, @Nullable String detail) {
    isolation
        .log()
        .decided(
            served.name(),
            served.version(),
            Decision.INSTANCE_PROBED,
            reason,
            "instance %d: %s".formatted(index, detail));
  }
}
