package dev.conveyor.scheduler.admission;

/**
 * Lets through {@code burst} requests at once and {@code perSecond} in the long run.
 *
 * <p>Not thread-safe: owned by whoever counts. Over any span of t seconds it lets through at most
 * {@code burst + perSecond * t}.
 */
public final class TokenBucket {

  private static final double NS_PER_SECOND = 1e9;

  /** A whole token, but for what adding up its parts may lose. */
  private static final double ONE = 1 - 1e-9;

  private final double perNs;
  private final double burst;
  private double tokens;
  private long filledNs;

  /**
   * Creates a full bucket.
   *
   * @param perSecond tokens that come back per second, above 0
   * @param burst tokens that it holds, 1 or more
   */
  public TokenBucket(double perSecond, double burst, long nowNs) {
    if (!(perSecond > 0) || !(burst >= 1)) {
      throw new IllegalArgumentException(
          "a token bucket has a rate above 0 and a burst of 1 or more, were "
              + perSecond
              + ", "
              + burst);
    }
    this.perNs = perSecond / NS_PER_SECOND;
    this.burst = burst;
    this.tokens = burst;
    this.filledNs = nowNs;
  }

  /** Takes a token if there is one; returns 0, or after how many nanoseconds there will be one. */
  public long tryTake(long nowNs) {
    fill(nowNs);
    if (tokens >= ONE) {
      tokens = Math.max(0, tokens - 1);
      return 0;
    }
    return Math.max(1, (long) Math.ceil((ONE - tokens) / perNs));
  }

  /** Puts a token back that was taken for nothing. */
  public void giveBack() {
    tokens = Math.min(burst, tokens + 1);
  }

  /** Returns true if nobody could tell it from a new one. */
  boolean isFull(long nowNs) {
    fill(nowNs);
    return tokens >= burst - (1 - ONE);
  }

  /** Threads read the clock before they come here, so time may seem to step back a little. */
  private void fill(long nowNs) {
    long elapsedNs = nowNs - filledNs;
    if (elapsedNs > 0) {
      tokens = Math.min(burst, tokens + elapsedNs * perNs);
      filledNs = nowNs;
    }
  }
}
