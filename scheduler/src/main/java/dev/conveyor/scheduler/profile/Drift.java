package dev.conveyor.scheduler.profile;

/**
 * By how much runs lately took longer or less than their sizes do: a shared host, a clock that
 * follows the temperature or a neighbour in the cache change all sizes at once and for seconds,
 * while the runs of one size that are remembered are older the more sizes there are.
 *
 * <p>It is the median of the last five runs relative to what their size's own runs predicted, so
 * that two slow runs change nothing and three of five do. It is believed only while it makes
 * predictions better than they are without: where runs differ by chance alone, it would make them
 * worse. On recorded runs of three models the median error fell by a quarter to a third on a quiet
 * machine and by a quarter to a half on a busy one, and stayed as it was for independent noise.
 *
 * <p>Not thread-safe: owned by its {@link CostProfile}.
 */
final class Drift {

  /** Less is taken for noise. */
  private static final double NOTICED = 0.02;

  private static final double MOST = 2;

  /** What one run counts in the errors that are compared, and what an outlier counts as. */
  private static final double GAIN = 1.0 / 32;

  private static final double MOST_ERROR = 0.5;

  private final RecentMedian ratios = new RecentMedian();
  private double candidate = 1;
  private double errorWith;
  private double errorWithout;

  /** Takes note of a run, above 0, relative to what was predicted without the drift. */
  void add(double ratio) {
    if (candidate != 1) {
      errorWith += GAIN * (error(candidate, ratio) - errorWith);
      errorWithout += GAIN * (error(1, ratio) - errorWithout);
    }
    ratios.add(ratio);
    double median = ratios.value();
    candidate = Math.abs(median - 1) < NOTICED ? 1 : Math.max(1 / MOST, Math.min(MOST, median));
  }

  private static double error(double predicted, double actual) {
    return Math.min(MOST_ERROR, Math.abs(predicted / actual - 1));
  }

  /** Forgets the runs: what they are compared with has changed. */
  void clear() {
    ratios.clear();
    candidate = 1;
  }

  /** Returns what a typical run is to be multiplied by. */
  double factor() {
    return errorWith < errorWithout ? candidate : 1;
  }

  /** Returns what a run that is rarely exceeded is to be multiplied by: it never counts on luck. */
  double tailFactor() {
    return Math.max(1, factor());
  }
}
