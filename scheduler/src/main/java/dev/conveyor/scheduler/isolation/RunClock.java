package dev.conveyor.scheduler.isolation;

/**
 * When the execution in progress began. An instance may execute parts of a batch one after the
 * other; each has the whole limit for itself.
 *
 * <p>Thread-safe: written by the instance, read by the scheduler.
 */
public final class RunClock {

  private volatile long startedNs;

  public RunClock(long nowNs) {
    this.startedNs = nowNs;
  }

  /** An execution begins. */
  public void start(long nowNs) {
    startedNs = nowNs;
  }

  /** Returns the age of the execution in progress. */
  public long ageNs(long nowNs) {
    return nowNs - startedNs;
  }
}
