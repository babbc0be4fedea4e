package dev.conveyor.scheduler.decisions;

import java.util.List;

/**
 * One decision of the scheduler. Immutable.
 *
 * @param sequence grows by one with every decision
 * @param ageNs how long before the question it was taken
 * @param device empty if it does not concern one
 * @param requests how many it concerns
 * @param items sum of their batch sizes; 0 if nothing runs
 * @param predictedNs expected time of the batch; 0 if nothing runs or nothing is known
 * @param reason why, in words
 * @param traces of the requests that run, those that have one, the first few
 */
public record Decision(
    long sequence,
    long ageNs,
    Kind kind,
    String model,
    String version,
    String device,
    int requests,
    int items,
    long predictedNs,
    String reason,
    List<String> traces) {

  public Decision {
    traces = List.copyOf(traces);
  }

  /** What was decided. */
  public enum Kind {
    /** A batch runs. */
    RUN,
    /** Requests are given up. */
    DROP,
    /** An instance is free, and a batch is not cut yet. */
    WAIT,
    /** More or fewer batches may run at once on a device. */
    LIMIT,
    /** A model has more or fewer instances. */
    SCALE,
    /** A model leaves memory for others. */
    EVICT,
    /** A model is loaded onto one more device, or leaves one. */
    PLACE,
    /** A model is loaded because a request came for it. */
    LOAD,
    /** Requests are turned away, before they are read or by the scheduler. */
    REFUSE
  }
}
