package dev.conveyor.verticles;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.RefusalReason;
import dev.conveyor.scheduler.CoreBudget;
import io.vertx.core.Context;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import io.vertx.core.WorkerExecutor;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Workers, as many as there are cores, whose work begins when the {@link CoreBudget} lets it.
 *
 * <p>Thread-safe. Bounded: beyond a number of pieces that wait the answer is an immediate refusal.
 */
public final class CoreWorkers {

  private final Vertx vertx;
  private final WorkerExecutor workers;
  private final CoreBudget budget;
  private final CoreBudget.Work kind;
  private final int maxWaiting;
  private final String refusal;
  private final AtomicInteger waiting = new AtomicInteger();

  /**
   * Creates the workers.
   *
   * @param name of their threads
   * @param maxWaiting most pieces that wait or run
   * @param refusal message of those beyond
   */
  public CoreWorkers(
      Vertx vertx,
      String name,
      int cores,
      CoreBudget budget,
      CoreBudget.Work kind,
      int maxWaiting,
      String refusal) {
    this.vertx = vertx;
    this.workers = vertx.createSharedWorkerExecutor(name, cores);
    this.budget = budget;
    this.kind = kind;
    this.maxWaiting = maxWaiting;
    this.refusal = refusal;
  }

  /**
   * Runs a piece of work on a worker, now or later; the future completes on the caller's context.
   *
   * @param refused called at once if too many wait; the future then fails with QUEUE_FULL
   */
  public <T> Future<T> run(Callable<T> work, Runnable refused) {
    if (waiting.incrementAndGet() > maxWaiting) {
      waiting.decrementAndGet();
      refused.run();
      return Future.failedFuture(
          new InferenceException(
              ErrorCode.QUEUE_FULL, refusal, RefusalReason.QUEUE_FULL, InferenceException.UNKNOWN));
    }
    Context context = vertx.getOrCreateContext();
    Promise<T> done = Promise.promise();
    if (budget.enter(kind, () -> context.runOnContext(v -> begin(work, done)))) {
      begin(work, done);
    }
    return done.future();
  }

  /** Stops the workers once they are idle. */
  public Future<Void> close() {
    return workers.close();
  }

  /** Once, also for work that no worker took. */
  private void leave(AtomicBoolean left) {
    if (left.compareAndSet(false, true)) {
      waiting.decrementAndGet();
      budget.leave();
    }
  }

  private <T> void begin(Callable<T> work, Promise<T> done) {
    AtomicBoolean left = new AtomicBoolean();
    workers
        .executeBlocking(
            () -> {
              try {
                return work.call();
              } finally {
                leave(left); // Here, so that the core is free before the caller's turn comes.
              }
            },
            false)
        .onComplete(
            result -> {
              leave(left);
              if (result.succeeded()) {
                done.complete(result.result());
              } else {
                done.fail(result.cause());
              }
            });
  }
}
