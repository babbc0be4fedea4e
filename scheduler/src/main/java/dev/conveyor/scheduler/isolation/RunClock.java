package dev.conveyor.scheduler.isolation;

import dev.conveyor.models.backend.BatchRequest;
import org.jspecify.annotations.Nullable;

/**
 * When the execution in progress began, and for whom. An instance may execute parts of a batch one
 * after the other, and synthetic batches between them; each has the whole limit for itself.
 *
 * <p>Thread-safe: written by the instance, read by the scheduler.
 */
public final class RunClock {

  private volatile long startedNs;
  private volatile @Nullable BatchRequest only;

  /** Written last and read first, so that no age of something smaller is held against it. */
  private volatile int probeItems;

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
    probeItems = 0;
  }

  /** A synthetic batch of so many items begins, which says whether the instance is to blame. */
  public void probe(long nowNs, int items) {
    startedNs = nowNs;
    probeItems = items;
  }

  /**
   * Returns how many items the synthetic batch in progress, or the last, has; 0 if a request's
   * execution began after it. To be asked before {@link #ageNs}.
   */
  public int probeItems() {
    return probeItems;
  }

  /** Returns true if the execution of requests in progress, or the last, was for this one alone. */
  public boolean isOnlyFor(BatchRequest request) {
    return only == request;
  }

  /** Returns the age of the execution in progress. */
  public long ageNs(long nowNs) {
    return nowNs - startedNs;
  }
}
