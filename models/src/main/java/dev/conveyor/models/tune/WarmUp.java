package dev.conveyor.models.tune;

/**
 * Tells when a server that is put under load has become as fast as it gets: when several windows in
 * a row were no faster than the fastest before them. Not thread-safe: owned by one meter.
 */
public final class WarmUp {

  /** Windows without a gain that end it. */
  static final int STEADY = 4;

  /** Windows that end it in any case. */
  static final int MOST = 30;

  /** Less than this is noise, not a gain. */
  private static final double GAIN = 1.03;

  private double fastest;
  private int windows;
  private int steady;

  /** Takes note of the throughput of a window. */
  public void add(double perSecond) {
    windows++;
    steady = windows > 1 && perSecond <= GAIN * fastest ? steady + 1 : 0;
    fastest = Math.max(fastest, perSecond);
  }

  public boolean isOver() {
    return steady >= STEADY || windows >= MOST;
  }
}
