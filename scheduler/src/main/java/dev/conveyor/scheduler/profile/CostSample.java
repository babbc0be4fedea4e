package dev.conveyor.scheduler.profile;

/**
 * What one batch took, as it is handed on: from a warm-up to the scheduler, from a profile to a
 * file and back.
 *
 * @param items at least 1
 * @param busyNs at least 0
 */
public record CostSample(int items, long busyNs) {
  public CostSample {
    if (items < 1 || busyNs < 0) {
      throw new IllegalArgumentException(
          "a batch has 1 item or more and takes 0 ns or more: " + items + ", " + busyNs);
    }
  }
}
