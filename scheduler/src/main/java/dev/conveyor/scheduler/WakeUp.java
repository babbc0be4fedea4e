package dev.conveyor.scheduler;

import io.vertx.core.Timer;
import io.vertx.core.Vertx;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The timer that has the scheduler decide again when nothing else does. A timer that is too early
 * is left: to be woken up once too often costs less than to replace it for every batch.
 *
 * <p>Thread-confined: the event loop of its actor.
 */
final class WakeUp {

  /** A timer that is so much earlier than the next thing to do is put off. */
  private static final long TOO_EARLY_NS = 10_000_000;

  private final Runnable task;
  private @Nullable Timer timer;
  private long atNs;

  /** Creates it without a timer; {@code task} runs whenever one is over. */
  WakeUp(Runnable task) {
    this.task = task;
  }

  /**
   * Has the task run at some time, or earlier.
   *
   * @param inNs after {@code nowNs}; with {@link Scheduler#NEVER} nothing changes
   */
  void arm(Vertx vertx, long nowNs, long inNs) {
    if (inNs == Scheduler.NEVER) {
      return;
    }
    long earlyNs = nowNs + inNs - atNs;
    if (timer != null && earlyNs >= 0 && earlyNs < TOO_EARLY_NS) {
      return;
    }
    cancel();
    long micros = Math.max(1, TimeUnit.NANOSECONDS.toMicros(inNs + 999));
    atNs = nowNs + inNs;
    Timer armed = vertx.timer(micros, TimeUnit.MICROSECONDS);
    timer = armed;
    armed.onSuccess(
        v -> {
          if (timer == armed) {
            timer = null;
            task.run();
          }
        });
  }

  /** Does nothing if there is no timer. */
  void cancel() {
    if (timer != null) {
      timer.cancel();
      timer = null;
    }
  }
}
