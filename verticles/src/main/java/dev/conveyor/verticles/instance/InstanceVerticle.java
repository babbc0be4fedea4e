package dev.conveyor.verticles.instance;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.backend.BatchResult;
import dev.conveyor.models.backend.ExecutionException;
import dev.conveyor.models.backend.ModelExecutor;
import dev.conveyor.scheduler.Addresses;
import dev.conveyor.scheduler.Batch;
import dev.conveyor.scheduler.BatchOutcome;
import dev.conveyor.scheduler.InferenceRequest;
import dev.conveyor.scheduler.InferenceResponse;
import dev.conveyor.scheduler.Replies;
import dev.conveyor.verticles.metrics.ModelStats;
import io.vertx.core.DeploymentOptions;
import io.vertx.core.Future;
import io.vertx.core.ThreadingModel;
import io.vertx.core.VerticleBase;
import io.vertx.core.eventbus.Message;
import io.vertx.core.eventbus.MessageConsumer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Actor that runs the batches of one model instance: gather, execute, scatter.
 *
 * <p>Owns its executor, and with it the instance's slabs and stream. Everything here runs on one
 * thread, because executors belong to a thread: deploy it with {@link #deploymentOptions}, whose
 * worker pool has a single thread that nothing else uses.
 *
 * <p>Receives {@link Batch} at {@link Addresses#instance}. Answers each request through its own
 * {@code ReplyTo} and closes it, then replies to the scheduler, always: the reply is the credit for
 * the next batch. An exception must not leave the handler, because Vert.x would turn it into a
 * timeout.
 */
public final class InstanceVerticle extends VerticleBase {

  private static final int MAX_BATCH_SECONDS = 60;

  private final String model;
  private final String version;
  private final String key;
  private final int index;
  private final Supplier<ModelExecutor> factory;
  private final ModelStats stats;
  private final Replies replies = new Replies();
  private @Nullable ModelExecutor executor;
  private @Nullable MessageConsumer<Batch> batches;

  /**
   * Creates the actor.
   *
   * @param model name of the model, for answers
   * @param version version of the model, for answers
   * @param key the model's name inside the scheduler
   * @param index number of the instance within the version
   * @param factory called once, on the instance's thread
   */
  public InstanceVerticle(
      String model,
      String version,
      String key,
      int index,
      Supplier<ModelExecutor> factory,
      ModelStats stats) {
    this.model = model;
    this.version = version;
    this.key = key;
    this.index = index;
    this.factory = factory;
    this.stats = stats;
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
    executor = factory.get();
    batches = vertx.eventBus().localConsumer(Addresses.instance(key, index), this::onBatch);
    return batches.completion();
  }

  @Override
  public Future<?> stop() {
    Future<?> unregistered = batches == null ? Future.succeededFuture() : batches.unregister();
    if (executor != null) {
      executor.close();
    }
    return unregistered;
  }

  private void onBatch(Message<Batch> message) {
    final long start = System.nanoTime();
    List<InferenceRequest> requests = message.body().requests();
    BatchOutcome outcome = null;
    try {
      outcome = run(requests, start);
    } catch (Throwable e) {
      // An Error (a linkage problem, memory) must not silence the instance either.
      outcome = fail(requests, start, e);
    } finally {
      for (int i = 0; i < requests.size(); i++) {
        requests.get(i).close();
      }
      replies.flush();
      message.reply(outcome);
    }
  }

  @SuppressWarnings("NullAway") // the executor is set by start(), which precedes every message
  private BatchOutcome run(List<InferenceRequest> requests, long start) {
    List<InferenceRequest> live = stillWanted(requests);
    if (live.isEmpty()) {
      return new BatchOutcome(true, 0, start, 0, 0, 0, System.nanoTime());
    }
    BatchResult result = executor.execute(live);
    final long end = System.nanoTime();
    int items = 0;
    for (int i = 0; i < live.size(); i++) {
      InferenceRequest request = live.get(i);
      items += request.batchSize();
      answer(request, result.outputs().get(i), start, end);
    }
    stats.onBatch(live.size(), items, result.copyInNs(), result.computeNs(), result.copyOutNs());
    return new BatchOutcome(
        true, items, start, result.copyInNs(), result.computeNs(), result.copyOutNs(), end);
  }

  private void answer(InferenceRequest request, List<Tensor> outputs, long start, long end) {
    InferenceResponse response = new InferenceResponse(model, version, outputs);
    if (replies.succeed(request.replyTo(), response)) {
      stats.onSuccess(
          request.batchSize(),
          request.preprocessNs(),
          start - request.arrivalNs() - request.preprocessNs(),
          end - request.arrivalNs());
    } else {
      response.close();
    }
  }

  private BatchOutcome fail(List<InferenceRequest> requests, long start, Throwable cause) {
    ErrorCode code =
        cause instanceof ExecutionException e && e.kind() == ExecutionException.Kind.OUT_OF_MEMORY
            ? ErrorCode.OUT_OF_MEMORY
            : ErrorCode.EXECUTION_FAILED;
    InferenceException failure =
        new InferenceException(
            code, "model '" + model + "', version " + version + ": " + cause.getMessage());
    final long end = System.nanoTime();
    int items = 0;
    for (int i = 0; i < requests.size(); i++) {
      items += requests.get(i).batchSize();
      if (replies.fail(requests.get(i).replyTo(), failure)) {
        stats.onFailure(ModelStats.Reason.BACKEND, end - requests.get(i).arrivalNs());
      }
    }
    return new BatchOutcome(false, items, start, 0, end - start, 0, end);
  }

  /** Requests that were cancelled or expired on the way here are not worth computing. */
  private static List<InferenceRequest> stillWanted(List<InferenceRequest> requests) {
    for (int i = 0; i < requests.size(); i++) {
      if (requests.get(i).replyTo().isDone()) {
        List<InferenceRequest> live = new ArrayList<>(requests);
        live.removeIf(request -> request.replyTo().isDone());
        return live;
      }
    }
    return requests;
  }
}
