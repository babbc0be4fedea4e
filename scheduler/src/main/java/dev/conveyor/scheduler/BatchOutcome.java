package dev.conveyor.scheduler;

/**
 * How a batch went: the instance's reply to the scheduler, which is the credit for the next batch
 * and the sample for the cost profile.
 *
 * @param succeeded false if the backend failed
 * @param startNs when the instance took it up
 * @param endNs when the last answer was handed over
 */
public record BatchOutcome(
    boolean succeeded,
    int items,
    long startNs,
    long copyInNs,
    long computeNs,
    long copyOutNs,
    long endNs) {

  /** Returns the time the instance was busy with it. */
  public long busyNs() {
    return endNs - startNs;
  }
}
