package dev.conveyor.models.tune;

import java.time.Duration;

/**
 * What one run with a setting gave.
 *
 * @param perSecond inferences answered
 * @param p99Ns 99th percentile of the latencies; 0 if nothing was answered
 * @param undisturbedPerSecond what it would have been alone on the machine; see {@link Undisturbed}
 * @param errors requests that failed
 * @param failure why the setting cannot be used; empty if it can
 */
public record Measurement(
    Setting setting,
    double perSecond,
    double undisturbedPerSecond,
    double p99Ns,
    long errors,
    Duration length,
    String failure) {

  /** A run that gave figures, with nothing else on the machine. */
  public Measurement(
      Setting setting, double perSecond, double p99Ns, long errors, Duration length) {
    this(setting, perSecond, perSecond, p99Ns, errors, length, "");
  }

  /** A setting that the server refuses. */
  public static Measurement failed(Setting setting, String reason) {
    return new Measurement(setting, 0, 0, 0, 0, Duration.ZERO, reason);
  }

  /** Returns true if the run answered something and nothing went wrong. */
  public boolean isSound() {
    return failure.isEmpty() && errors == 0 && perSecond > 0;
  }
}
