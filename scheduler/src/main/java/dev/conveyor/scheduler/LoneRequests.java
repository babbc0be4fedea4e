package dev.conveyor.scheduler;

/**
 * Notices that a client sends small requests one after another, each when the last one is answered.
 * Then every request would wait twice for a thread to wake up, and nothing else would be done
 * meanwhile: it pays to wait awake. Under any other load it would only burn time that batches need.
 *
 * <p>Not thread-safe: owned by the {@link SchedulerVerticle}.
 */
final class LoneRequests {

  /** How many in a row make a habit. */
  static final int STREAK = 16;

  /** Executions beyond this dwarf a wake-up. */
  static final long SHORT_NS = 100_000;

  private int streak;

  /**
   * Takes note of a decision that started something.
   *
   * @param batches how many it started
   * @param requests of the last of them
   * @param running batches that run now, these included
   */
  void onDispatch(int batches, int requests, int running) {
    streak = batches == 1 && requests == 1 && running == 1 ? streak + 1 : 0;
  }

  /** Takes note of how long an execution computed, without what it waited. */
  void onOutcome(long computeNs) {
    if (computeNs > SHORT_NS) {
      streak = 0;
    }
  }

  /** Returns whether the next wake-ups are worth waiting for. */
  boolean isHabit() {
    return streak >= STREAK;
  }
}
