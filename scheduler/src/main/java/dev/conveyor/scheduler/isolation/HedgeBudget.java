package dev.conveyor.scheduler.isolation;

/**
 * A token bucket that keeps second executions a given part of the requests: every request that runs
 * earns that part of one, and what is not used is kept for the next, up to a bound. It begins
 * empty, so at no time have more requests run twice than that part of all that ran.
 *
 * <p>Not thread-safe: owned by the scheduler, one per model.
 */
public final class HedgeBudget {

  private static final double LEAST_KEPT = 10;

  private final double share;
  private final double most;
  private double tokens;

  /**
   * Creates an empty budget.
   *
   * @param share of the requests that may run twice
   * @param largestBatch requests that run together at most, and so must be kept for
   */
  public HedgeBudget(double share, int largestBatch) {
    this.share = share;
    this.most = Math.max(LEAST_KEPT, largestBatch);
  }

  /** Requests run for the first time. */
  public void onRun(int requests) {
    tokens = Math.min(most, tokens + share * requests);
  }

  /** Takes back the right to run so many requests that did not run a second time after all. */
  public void giveBack(int requests) {
    tokens = Math.min(most, tokens + requests);
  }

  /** Takes the right to run so many requests a second time, all of them or none. */
  public boolean tryTake(int requests) {
    if (tokens < requests) {
      return false;
    }
    tokens -= requests;
    return true;
  }
}
