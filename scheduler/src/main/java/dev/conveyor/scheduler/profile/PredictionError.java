package dev.conveyor.scheduler.profile;

/**
 * How well predictions came true: each run against what was predicted for it before it was learned.
 *
 * <p>Not thread-safe: owned by its {@link CostProfile}.
 */
final class PredictionError {

  private static final int WINDOW = 512;

  private final SampleRing errors = new SampleRing(WINDOW);
  private final boolean[] covered = new boolean[WINDOW];
  private int next;
  private int coveredInWindow;
  private long scored;
  private long coveredEver;

  void score(double actualNs, double medianNs, double p99Ns) {
    boolean within = actualNs <= p99Ns;
    coveredInWindow += (within ? 1 : 0) - (covered[next] ? 1 : 0);
    covered[next] = within;
    next = (next + 1) % WINDOW;
    scored++;
    coveredEver += within ? 1 : 0;
    errors.add(Math.abs(actualNs - medianNs) / Math.max(1, actualNs));
  }

  /** Returns the state; medians and shares are over the last 512 runs. */
  ProfileSnapshot.Accuracy snapshot() {
    int window = errors.count();
    return new ProfileSnapshot.Accuracy(
        scored,
        window == 0 ? 0 : errors.median(),
        window == 0 ? 1 : (double) coveredInWindow / window,
        scored == 0 ? 1 : (double) coveredEver / scored);
  }
}
