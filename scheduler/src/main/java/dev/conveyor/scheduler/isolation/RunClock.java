package dev.conveyor.scheduler.isolation;

import dev.conveyor.models.backend.BatchRequest;
import org.jspecify.annotations.Nullable;

/**
 * When the execution in progress began, and for whom. An instance may execute parts of a batch one
 * after the other; each has the whole limit for itself.
 *
 * <p>Thread-safe: written by the instance, read by the scheduler.
 */
public final class RunClock {

  private volatile long startedNs;
  private volatile @Nullable BatchRequest only;

  public RunClock(long nowNs) {
    this.startedNs = nowNs;
  }

  /** An execution of several requests begins. */
  public void start(long nowNs) {
    start(nowNs, null);
  }

  /** An execution begins; {@code request} is the only one in it, or null if there are several. */
  public void start(long nowNs, @Nullable BatchRequest request) {
    only = request;
    startedNs = nowNs;
  }

  /** Returns true if the execution in progress, or the last, was for this request alone. */
  public boolean isOnlyFor(BatchRequest request) {
    return only == request;
  }

  /** Returns the age of the execution in progress. */
  public long ageNs(long nowNs) {
    return nowNs - startedNs;
  }
}
