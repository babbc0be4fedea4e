package dev.conveyor.verticles.supervisor;

import io.vertx.core.AsyncResult;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import io.vertx.core.WorkerExecutor;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.function.Consumer;

/**
 * Runs what reads and opens models, each on a thread of its own, so many at once, and gives up what
 * takes too long.
 *
 * <p>Thread-confined to the supervisor's context. Native code that does not come back cannot be
 * stopped: its thread is left alone until it does, and what it brings then is thrown away. A model
 * has at most one such thread: until that is back, it is not tried again.
 */
final class TimedLoads {

  private final Vertx vertx;
  private final int atOnce;
  private final long limitMs;
  private final Deque<Runnable> waiting = new ArrayDeque<>();
  private final Set<String> stuck = new HashSet<>();
  private int running;
  private long number;

  /**
   * Creates it.
   *
   * @param atOnce loads that run at the same time; those that were given up do not count
   * @param limitMs longest that one may take, from when it runs
   */
  TimedLoads(Vertx vertx, int atOnce, long limitMs) {
    this.vertx = vertx;
    this.atOnce = atOnce;
    this.limitMs = limitMs;
  }

  /**
   * Runs something that blocks.
   *
   * @param tooLate closes what came after it was given up; called on the thread of the load
   */
  <T> Future<T> run(String model, Callable<T> load, Consumer<T> tooLate) {
    Promise<T> done = Promise.promise();
    Runnable begin = () -> begin(model, load, tooLate, done);
    if (running < atOnce) {
      begin.run();
    } else {
      waiting.add(begin);
    }
    return done.future();
  }

  private <T> void begin(String model, Callable<T> load, Consumer<T> tooLate, Promise<T> done) {
    running++;
    if (stuck.contains(model)) {
      end();
      done.fail(new LoadTimeoutException("an earlier load of it has not come back yet"));
      return;
    }
    WorkerExecutor thread = vertx.createSharedWorkerExecutor("load-" + ++number, 1);
    long timer = vertx.setTimer(limitMs, id -> giveUp(model, done));
    thread
        .executeBlocking(load, false)
        .onComplete(
            result -> {
              if (vertx.cancelTimer(timer)) {
                end();
                Future<Void> unused = thread.close();
                if (result.succeeded()) {
                  done.complete(result.result());
                } else {
                  done.fail(result.cause());
                }
              } else {
                throwAway(model, thread, result, tooLate);
              }
            });
  }

  private void giveUp(String model, Promise<?> done) {
    stuck.add(model);
    end();
    done.fail(
        new LoadTimeoutException(
            "its load did not end within %d ms (limits.load_timeout_ms)".formatted(limitMs)));
  }

  private <T> void throwAway(
      String model, WorkerExecutor thread, AsyncResult<T> result, Consumer<T> tooLate) {
    Future<?> thrownAway =
        result.failed()
            ? Future.succeededFuture()
            : thread.executeBlocking(
                () -> {
                  tooLate.accept(result.result());
                  return null;
                },
                false);
    thrownAway.onComplete(
        v -> {
          stuck.remove(model);
          Future<Void> unused = thread.close();
        });
  }

  private void end() {
    running--;
    Runnable next = waiting.poll();
    if (next != null) {
      next.run();
    }
  }
}
