package dev.conveyor.verticles.bench.load;

import io.vertx.core.AsyncResult;
import io.vertx.core.Context;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import java.util.concurrent.locks.LockSupport;

/**
 * Keeps one model under load. Thread-confined: owned by the event loop of its {@link LoadRun}.
 *
 * <p>In an open loop a thread of its own follows the timetable and hands due times to the event
 * loop: event-loop timers would add up to a millisecond to every latency. What the hand-over still
 * adds is recorded as lateness.
 */
final class LaneRun {

  /** More than this in flight means a server that is lost, not one that is slow. */
  private static final int MAX_IN_FLIGHT = 20_000;

  private static final int MILLIS_AFTER_FAILURE = 1;

  private final Vertx vertx;
  private final Lane lane;
  private final LaneRecorder recorder;
  private final Runnable onDrained;
  private volatile boolean stopped;
  private int inFlight;
  private int sent;

  private LaneRun(Vertx vertx, Lane lane, LaneRecorder recorder, Runnable onDrained) {
    this.vertx = vertx;
    this.lane = lane;
    this.recorder = recorder;
    this.onDrained = onDrained;
  }

  /** Starts to send. {@code onDrained} is called when nothing is in flight after {@link #stop}. */
  static LaneRun start(Vertx vertx, Lane lane, LoadPattern pattern, long seed, Runnable onDrained) {
    boolean openLoop = pattern instanceof LoadPattern.Open;
    LaneRun run = new LaneRun(vertx, lane, new LaneRecorder(openLoop), onDrained);
    if (pattern instanceof LoadPattern.Open open) {
      run.startPacer(open.perSecond(), seed, vertx.getOrCreateContext());
    } else if (pattern instanceof LoadPattern.Closed closed) {
      for (int i = 0; i < closed.concurrency(); i++) {
        run.sendNext();
      }
    }
    return run;
  }

  LaneRecorder recorder() {
    return recorder;
  }

  int inFlight() {
    return inFlight;
  }

  void stop(long nowNs) {
    stopped = true;
    recorder.close(nowNs);
  }

  LaneResult result() {
    return recorder.result(lane.model(), lane.items());
  }

  private void sendNext() {
    if (stopped) {
      return;
    }
    long nowNs = System.nanoTime();
    inFlight++;
    Future<Void> answer = lane.client().send(sent++);
    if (answer.isComplete()) {
      // Not at once: a client that answers on the spot would recurse until the stack ends.
      vertx.getOrCreateContext().runOnContext(v -> answeredClosed(answer, nowNs));
    } else {
      answer.onComplete(result -> answeredClosed(result, nowNs));
    }
  }

  private void answeredClosed(AsyncResult<Void> result, long sentNs) {
    answered(result, sentNs, sentNs);
    if (result.succeeded()) {
      sendNext();
    } else {
      // A refused connection fails at once: without a pause the client would spin on it.
      vertx.setTimer(MILLIS_AFTER_FAILURE, t -> sendNext());
    }
  }

  private void startPacer(double perSecond, long seed, Context context) {
    Arrivals arrivals = Arrivals.poisson(perSecond, System.nanoTime(), seed);
    Thread pacer = new Thread(() -> pace(arrivals, context), "pacer-" + lane.model());
    pacer.setDaemon(true);
    pacer.start();
  }

  private void pace(Arrivals arrivals, Context context) {
    while (!stopped) {
      long delayNs = arrivals.delayNs(System.nanoTime());
      if (delayNs > 0) {
        LockSupport.parkNanos(delayNs);
      } else {
        long dueNs = arrivals.take();
        context.runOnContext(v -> sendDue(dueNs));
      }
    }
  }

  private void sendDue(long dueNs) {
    if (stopped) {
      return;
    }
    long nowNs = System.nanoTime();
    recorder.sent(dueNs, nowNs);
    if (inFlight >= MAX_IN_FLIGHT) {
      recorder.failed("not sent: " + MAX_IN_FLIGHT + " requests in flight", dueNs, nowNs, nowNs);
      return;
    }
    inFlight++;
    lane.client().send(sent++).onComplete(result -> answered(result, dueNs, nowNs));
  }

  private void answered(AsyncResult<Void> result, long dueNs, long sentNs) {
    long nowNs = System.nanoTime();
    inFlight--;
    if (result.succeeded()) {
      recorder.succeeded(dueNs, nowNs);
    } else {
      Throwable cause = result.cause();
      String message = cause.getMessage();
      recorder.failed(
          message == null ? cause.getClass().getSimpleName() : message, dueNs, sentNs, nowNs);
    }
    if (stopped) {
      onDrained.run();
    }
  }
}
