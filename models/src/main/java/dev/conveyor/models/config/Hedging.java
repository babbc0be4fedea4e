package dev.conveyor.models.config;

/**
 * Whether requests that take long are run on a second instance as well, and how many: the {@code
 * hedging} part of a model's {@code conveyor} block. What comes first is the answer.
 *
 * @param afterPercentile of the learned execution times, in percent: an execution that takes longer
 *     is run a second time; 0 for never
 * @param maxShare part of the requests that may run a second time
 */
public record Hedging(double afterPercentile, double maxShare) {

  public static final Hedging OFF = new Hedging(0, 0.05);

  /** What an empty block means. */
  static final double DEFAULT_PERCENTILE = 95;

  public Hedging {
    if (afterPercentile != 0 && !(afterPercentile >= 50 && afterPercentile <= 99)) {
      throw new ConfigException("after_percentile", "a number from 50 to 99", afterPercentile);
    }
    if (!(maxShare > 0 && maxShare <= 1)) {
      throw new ConfigException("max_share", "a number above 0 and at most 1", maxShare);
    }
  }

  public boolean isOn() {
    return afterPercentile > 0;
  }
}
