package dev.conveyor.scheduler.isolation;

/**
 * How long to wait before a sick instance is replaced: not at all the first time, then 1, 2, 4 ...
 * up to 60 seconds, each plus or minus a fifth, so that instances that fell together do not rise
 * together. Failures are forgotten after a minute without one.
 *
 * <p>Not thread-safe: owned by the supervisor.
 */
public final class Backoff {

  private static final long FIRST_NS = 1_000_000_000L;
  private static final long LONGEST_NS = 60_000_000_000L;
  private static final long FORGIVEN_AFTER_NS = 60_000_000_000L;
  private static final double JITTER = 0.2;

  private int failures;
  private long lastNs;

  /**
   * Counts a failure and returns how long to wait.
   *
   * @param random uniform, from 0 to 1
   */
  public long onFailure(long nowNs, double random) {
    if (failures > 0 && nowNs - lastNs > FORGIVEN_AFTER_NS + baseNs()) {
      failures = 0;
    }
    lastNs = nowNs;
    failures++;
    return (long) (baseNs() * (1 + JITTER * (2 * random - 1)));
  }

  /** Returns the failures that are not forgotten yet. */
  public int failures() {
    return failures;
  }

  private long baseNs() {
    return failures <= 1 ? 0 : Math.min(LONGEST_NS, FIRST_NS << Math.min(failures - 2, 6));
  }
}
