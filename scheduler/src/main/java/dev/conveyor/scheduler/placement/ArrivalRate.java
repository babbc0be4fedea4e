package dev.conveyor.scheduler.placement;

/**
 * How many items come per second, for decisions that take seconds to carry out: the higher of two
 * exponential averages, so that a burst is seen soon and forgotten late.
 *
 * <p>Not thread-safe: owned by whoever counts. Begins with its first window.
 */
public final class ArrivalRate {

  private static final double QUICK_SECONDS = 10;
  private static final double SLOW_SECONDS = 60;

  private double quick;
  private double slow;
  private boolean begun;

  /** Takes note of what came in a window of {@code seconds}, above 0. */
  public void onWindow(double items, double seconds) {
    double rate = items / seconds;
    if (begun) {
      quick += (1 - Math.exp(-seconds / QUICK_SECONDS)) * (rate - quick);
      slow += (1 - Math.exp(-seconds / SLOW_SECONDS)) * (rate - slow);
    } else {
      begun = true;
      quick = rate;
      slow = rate;
    }
  }

  public double perSecond() {
    return Math.max(quick, slow);
  }
}
