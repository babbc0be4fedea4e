package dev.conveyor.verticles.bench.load;

import java.util.SplittableRandom;

/**
 * The timetable of an open loop: when each request is due, whatever happens to the others.
 *
 * <p>Not thread-safe: owned by the thread that sends by it. Reads no clock; times are on the
 * caller's nanosecond clock and compared by difference only.
 *
 * <p>Gaps are exponential, so arrivals form a Poisson process. The sum is kept in doubles relative
 * to the start: after a day its resolution is still some ten picoseconds, and rounding each time
 * once, rather than each gap, keeps the rate exact.
 */
public final class Arrivals {

  private final double meanGapNs;
  private final long startNs;
  private final SplittableRandom random;
  private double offsetNs;

  private Arrivals(double perSecond, long startNs, long seed) {
    this.meanGapNs = 1e9 / perSecond;
    this.startNs = startNs;
    this.random = new SplittableRandom(seed);
    this.offsetNs = gapNs();
  }

  /** Starts a Poisson process; the first arrival is one random gap after {@code startNs}. */
  public static Arrivals poisson(double perSecond, long startNs, long seed) {
    return new Arrivals(perSecond, startNs, seed);
  }

  /** Returns when the next request is due. */
  public long nextNs() {
    return startNs + (long) offsetNs;
  }

  /** Returns how long until the next request is due; 0 or less if it is. */
  public long delayNs(long nowNs) {
    return nextNs() - nowNs;
  }

  /** Takes the next request off the timetable and returns when it is (or was) due. */
  public long take() {
    long due = nextNs();
    offsetNs += gapNs();
    return due;
  }

  private double gapNs() {
    // 1 - u is in (0, 1], so the logarithm is finite.
    return -Math.log(1 - random.nextDouble()) * meanGapNs;
  }
}
