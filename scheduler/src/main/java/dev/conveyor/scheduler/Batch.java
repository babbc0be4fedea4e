package dev.conveyor.scheduler;

import dev.conveyor.scheduler.isolation.RunClock;
import java.util.List;

/**
 * Requests that run together on one instance. Ownership moves with the message: scheduler, then
 * instance, which answers and closes every request.
 *
 * @param items sum of the requests' batch sizes
 * @param dispatchNs when the scheduler let go of it
 * @param clock says how long the execution in progress has taken
 * @param linger lets the instance wait awake for the next batch
 * @param turn when its answers may leave
 * @param wide whether it may take more threads than usual, because nothing else wants the cores
 */
public record Batch(
    long id,
    List<InferenceRequest> requests,
    int items,
    long dispatchNs,
    RunClock clock,
    Linger linger,
    AnswerTurn turn,
    boolean wide) {

  /** Creates a batch whose execution begins now and whose answers leave as they come. */
  public Batch(long id, List<InferenceRequest> requests, int items, long dispatchNs) {
    this(
        id,
        requests,
        items,
        dispatchNs,
        new RunClock(dispatchNs),
        new Linger(),
        AnswerTurn.ANY_TIME,
        false);
  }

  /** Returns the same batch, whose answers leave in a turn of their own. */
  Batch in(AnswerTurn itsTurn) {
    return new Batch(id, requests, items, dispatchNs, clock, linger, itsTurn, wide);
  }

  /** Returns the same batch, which may take more threads than usual. */
  Batch widened() {
    return new Batch(id, requests, items, dispatchNs, clock, linger, turn, true);
  }
}
