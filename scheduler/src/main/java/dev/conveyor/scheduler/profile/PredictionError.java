package dev.conveyor.scheduler.profile;

import java.util.Arrays;

/**
 * How well predictions came true: each run against what was predicted for it before it was learned.
 *
 * <p>Not thread-safe: owned by its {@link CostProfile}. To score stores two numbers; they are put
 * in order when somebody looks.
 */
final class PredictionError {

  private static final int WINDOW = 512;

  private final double[] errors = new double[WINDOW];
  private final boolean[] covered = new boolean[WINDOW];
  private int next;
  private int coveredInWindow;
  private long scored;
  private long coveredEver;

  void score(double actualNs, double medianNs, double p99Ns) {
    boolean within = actualNs <= p99Ns;
    coveredInWindow += (within ? 1 : 0) - (covered[next] ? 1 : 0);
    covered[next] = within;
    errors[next] = Math.abs(actualNs - medianNs) / Math.max(1, actualNs);
    next = (next + 1) % WINDOW;
    scored++;
    coveredEver += within ? 1 : 0;
  }

  /** Returns the state; medians and shares are over the last 512 runs. */
  ProfileSnapshot.Accuracy snapshot() {
    int window = (int) Math.min(scored, WINDOW);
    return new ProfileSnapshot.Accuracy(
        scored,
        window == 0 ? 0 : median(window),
        window == 0 ? 1 : (double) coveredInWindow / window,
        scored == 0 ? 1 : (double) coveredEver / scored);
  }

  private double median(int window) {
    double[] sorted = Arrays.copyOf(errors, window);
    Arrays.sort(sorted);
    return (sorted[(window - 1) / 2] + sorted[window / 2]) / 2;
  }
}
