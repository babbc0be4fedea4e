package dev.conveyor.verticles;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.RefusalReason;
import dev.conveyor.scheduler.CoreBudget;
import dev.conveyor.scheduler.fairness.FairTurns.Backlog;
import dev.conveyor.scheduler.fairness.FairTurns.Owner;
import dev.conveyor.scheduler.fairness.FairTurns.Piece;
import io.vertx.core.Context;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import io.vertx.core.WorkerExecutor;
import java.util.concurrent.Callable;

/**
 * Workers, as many as there are cores, whose work begins when the {@link CoreBudget} lets it.
 *
 * <p>Thread-safe. Bounded: beyond what an owner may have waiting, or all of them together, the
 * answer is an immediate refusal.
 */
public final class CoreWorkers {

  private final Vertx vertx;
  private final WorkerExecutor workers;
  private final CoreBudget budget;
  private final CoreBudget.Work kind;
  private final String refusal;

  /**
   * Creates the workers.
   *
   * @param name of their threads
   * @param refusal message of what is too much
   */
  public CoreWorkers(
      Vertx vertx,
      String name,
      int cores,
      CoreBudget budget,
      CoreBudget.Work kind,
      String refusal) {
    this.vertx = vertx;
    this.workers = vertx.createSharedWorkerExecutor(name, cores);
    this.budget = budget;
    this.kind = kind;
    this.refusal = refusal;
  }

  /**
   * Runs a piece of work on a worker, now or later; the future completes on the caller's context.
   *
   * @param owner whose it is, in turn with the others
   * @param refused called at once if too many wait; the future then fails with QUEUE_FULL
   */
  public <T> Future<T> run(Owner owner, Callable<T> work, Runnable refused) {
    Job<T> job = new Job<>(vertx.getOrCreateContext(), owner, work);
    switch (budget.enter(kind, job.piece)) {
      case RUNS -> job.begin();
      case WAITS -> {}
      case FULL -> {
        refused.run();
        return Future.failedFuture(
            new InferenceException(
                ErrorCode.QUEUE_FULL,
                refusal,
                RefusalReason.QUEUE_FULL,
                InferenceException.UNKNOWN));
      }
    }
    return job.done.future();
  }

  /** Returns what an owner's next piece of work has before it now. */
  public Backlog backlog(Owner owner) {
    return budget.backlog(kind, owner);
  }

  /** Stops the workers once they are idle. */
  public Future<Void> close() {
    return workers.close();
  }

  /** One piece of work. Begins on the context of the caller, runs on a worker. */
  private final class Job<T> {
    private final Promise<T> done = Promise.promise();
    private final Callable<T> work;
    private final Piece piece;

    Job(Context context, Owner owner, Callable<T> work) {
      this.work = work;
      this.piece = new Piece(owner, () -> context.runOnContext(v -> begin()));
    }

    void begin() {
      workers
          .executeBlocking(this::run, false)
          .onComplete(
              result -> {
                budget.leave(kind, piece, 0, false); // if no worker took it
                if (result.succeeded()) {
                  done.complete(result.result());
                } else {
                  done.fail(result.cause());
                }
              });
    }

    private T run() throws Exception {
      long beganNs = System.nanoTime();
      boolean whole = false;
      try {
        T result = work.call();
        whole = true;
        return result;
      } finally {
        // Here, so that the core is free before the caller's turn comes.
        budget.leave(kind, piece, System.nanoTime() - beganNs, whole);
      }
    }
  }
}
