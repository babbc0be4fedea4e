package dev.conveyor.scheduler;

/**
 * What the scheduler writes down about a request while it holds it.
 *
 * <p>Not thread-safe: owned by the {@link Scheduler}; nobody else reads or writes it.
 */
public final class SchedulingNotes {

  /** Place among the requests of other tenants; the smallest goes first. */
  long fairTagNs;

  /** Device time that its tenant was charged; 0 if it was charged nothing. */
  double chargedNs;

  /** When it was expected to be answered; 0 if nobody knew. */
  long predictedEndNs;

  /** Returns its place among the requests of other tenants; the smallest goes first. */
  public long fairTagNs() {
    return fairTagNs;
  }
}
