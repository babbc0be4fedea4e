package dev.conveyor.scheduler.isolation;

/**
 * Counts what an instance's batches came to and says when it is to be suspected.
 *
 * <p>Not thread-safe: owned by the instance. It trips after {@value #CONSECUTIVE} failures in a
 * row, or when of the last {@value #WINDOW} batches half failed, and at least {@value
 * #CONSECUTIVE}. One on trial, that is, one that took the place of a sick one, trips at its first
 * failure; a success ends the trial. A batch counts as failed only if no request of it succeeded: a
 * batch in which some did was failed by its inputs.
 */
public final class CircuitBreaker {

  private static final int CONSECUTIVE = 5;
  private static final int WINDOW = 20;
  private static final int EVERY = (1 << WINDOW) - 1;

  private boolean onTrial;
  private int consecutive;
  private int failed;

  private CircuitBreaker(boolean onTrial) {
    this.onTrial = onTrial;
  }

  /** Returns the breaker of a new instance. */
  public static CircuitBreaker closed() {
    return new CircuitBreaker(false);
  }

  /** Returns the breaker of an instance that replaces one that tripped. */
  public static CircuitBreaker halfOpen() {
    return new CircuitBreaker(true);
  }

  /** Returns true until one that replaces another has had a success. */
  public boolean isOnTrial() {
    return onTrial;
  }

  /** Counts a batch; returns true if the instance is to be suspected now. */
  public boolean record(boolean succeeded) {
    failed = failed << 1 & EVERY;
    if (succeeded) {
      consecutive = 0;
      onTrial = false;
      return false;
    }
    failed |= 1;
    consecutive++;
    return onTrial
        || consecutive >= CONSECUTIVE
        || Integer.bitCount(failed) >= Math.max(CONSECUTIVE, WINDOW / 2);
  }

  /** Forgets every failure: the instance was proved well. */
  public void reset() {
    onTrial = false;
    consecutive = 0;
    failed = 0;
  }
}
