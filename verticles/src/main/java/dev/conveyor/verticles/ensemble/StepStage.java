package dev.conveyor.verticles.ensemble;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.steps.Step;
import dev.conveyor.scheduler.ReplyTo;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.WorkerExecutor;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * The workers of steps that need no model, as many as there are cores, shared by all ensembles.
 *
 * <p>Thread-safe. Bounded: beyond {@link #MAX_WAITING} steps the answer is an immediate refusal.
 */
public final class StepStage {

  /** Steps that wait for a worker or are on one. */
  static final int MAX_WAITING = 1024 * Items.WINDOW;

  private final WorkerExecutor workers;
  private final AtomicInteger waiting = new AtomicInteger();

  public StepStage(Vertx vertx, int cores) {
    this.workers = vertx.createSharedWorkerExecutor("step", cores);
  }

  /**
   * Runs a step. Takes over the inputs; the future completes on the caller's context.
   *
   * @param reply work that nobody waits for any more is not begun
   */
  Future<List<Tensor>> run(Step step, List<Tensor> inputs, ReplyTo reply) {
    if (waiting.incrementAndGet() > MAX_WAITING) {
      waiting.decrementAndGet();
      inputs.forEach(Tensor::close);
      return Future.failedFuture(
          new InferenceException(
              ErrorCode.QUEUE_FULL, MAX_WAITING + " steps wait for a worker already"));
    }
    return workers
        .executeBlocking(() -> runNow(step, inputs, reply), false)
        .onComplete(done -> waiting.decrementAndGet());
  }

  /** Stops the workers once they are idle. */
  public Future<Void> close() {
    return workers.close();
  }

  private static List<Tensor> runNow(Step step, List<Tensor> inputs, ReplyTo reply) {
    try {
      if (reply.isDone()) {
        throw new InferenceException(ErrorCode.CANCELLED, "cancelled before the step");
      }
      return step.run(inputs);
    } finally {
      inputs.forEach(Tensor::close);
    }
  }
}
