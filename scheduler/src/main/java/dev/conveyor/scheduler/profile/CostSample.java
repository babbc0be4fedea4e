package dev.conveyor.scheduler.profile;

/**
 * What one batch took, as it is handed on: from a warm-up to the scheduler, from a profile to a
 * file and back.
 *
 * @param items at least 1
 * @param busyNs at least 0
 * @param wide whether it had more threads than usual, because nothing else wanted the cores
 */
public record CostSample(int items, long busyNs, boolean wide) {
  public CostSample {
    if (items < 1 || busyNs < 0) {
      throw new IllegalArgumentException(
          "a batch has 1 item or more and takes 0 ns or more: " + items + ", " + busyNs);
    }
  }

  /** Creates one that had as many threads as usual. */
  public CostSample(int items, long busyNs) {
    this(items, busyNs, false);
  }

  /** Returns the same, but with more threads than usual. */
  public CostSample widened() {
    return new CostSample(items, busyNs, true);
  }
}
