package dev.conveyor.scheduler.isolation;

/**
 * A token bucket that keeps repetitions a small part of the work: every success earns a fifth of a
 * repetition, and ten a second are granted anyway; what is not used is kept for ten seconds (the
 * defaults of Finagle's retry budget).
 *
 * <p>Not thread-safe: owned by the scheduler, one per model.
 */
public final class RetryBudget {

  private static final double PER_SUCCESS = 0.2;
  private static final double PER_SECOND = 10;
  private static final double MOST = 100;

  private double tokens = MOST;
  private long lastNs;
  private boolean started;

  /** A request was answered. */
  public void onSuccess(int requests) {
    tokens = Math.min(MOST, tokens + PER_SUCCESS * requests);
  }

  /** Takes the right to run one request again; false if there is none. */
  public boolean tryTake(long nowNs) {
    if (started) {
      tokens = Math.min(MOST, tokens + PER_SECOND * (nowNs - lastNs) / 1e9);
    }
    started = true;
    lastNs = nowNs;
    if (tokens < 1) {
      return false;
    }
    tokens--;
    return true;
  }
}
