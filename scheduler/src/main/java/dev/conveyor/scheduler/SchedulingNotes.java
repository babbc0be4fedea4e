package dev.conveyor.scheduler;

import dev.conveyor.scheduler.fairness.TenantShares;
import org.jspecify.annotations.Nullable;

/**
 * What the scheduler writes down about a request while it holds it.
 *
 * <p>Not thread-safe: owned by the {@link Scheduler}; nobody else reads or writes it.
 */
public final class SchedulingNotes {

  /** Place among the requests of other tenants; the smallest goes first. */
  long fairTagNs;

  /** Device time that its tenant was charged. */
  double chargedNs;

  /** Where it was charged that: at the level that it waits at, or ran from; null if nowhere yet. */
  @Nullable TenantShares chargedTo;

  /** When it was expected to be answered; 0 if nobody knew. */
  long predictedEndNs;

  /** Whose queue it was taken into; null before. */
  @Nullable ModelState takenBy;

  /** Returns its place among the requests of other tenants; the smallest goes first. */
  public long fairTagNs() {
    return fairTagNs;
  }
}
