package dev.conveyor.scheduler.residency;

/**
 * How long a model takes to load, learned from those that were: a model's own last time, or else
 * its size at the rate of the others. Not thread-safe: owned by {@link ResidencyTable}.
 */
final class LoadTimes {

  /** What any load takes, however small the model. */
  private static final long BASE_NS = 20_000_000;

  private static final double FIRST_NS_PER_BYTE = 2;
  private static final double NEWEST = 0.3;

  private double nsPerByte = FIRST_NS_PER_BYTE;

  void onLoaded(long bytes, long tookNs) {
    double measured = Math.max(0, tookNs - BASE_NS) / (double) Math.max(1, bytes);
    nsPerByte += NEWEST * (measured - nsPerByte);
  }

  long estimateNs(long bytes) {
    return BASE_NS + (long) (bytes * nsPerByte);
  }
}
