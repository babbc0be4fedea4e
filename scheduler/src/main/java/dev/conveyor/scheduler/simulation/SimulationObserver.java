package dev.conveyor.scheduler.simulation;

import dev.conveyor.scheduler.InferenceRequest;

/** Is told what happens in a run, in the order of virtual time. */
public interface SimulationObserver {

  /** Observes nothing. */
  SimulationObserver NONE = new SimulationObserver() {};

  /** What became of a request. */
  enum Answer {
    IN_TIME,
    LATE,
    REFUSED,
    LOST
  }

  default void arrived(int model, InferenceRequest request, long nowNs) {}

  default void answered(int model, InferenceRequest request, Answer answer, long nowNs) {}

  default void started(Run run) {}
}
