package dev.conveyor.scheduler.occupancy;

/**
 * Has a device that always runs several batches run one at a time for a moment, because what
 * batches do to each other cannot be told without the times of batches that run alone.
 *
 * <p>Not thread-safe: owned by the scheduler, one per device. Reads no clock.
 *
 * <p>Begins once fifty batches on end had company and no time alone to be compared with; ends after
 * two dozen that ran alone, or a second. Is not tried again for ten seconds then, after the second
 * time in vain for twenty, and so on up to 160: a device in ignorance loses at most a tenth of its
 * time at first, and less than a hundredth later.
 */
public final class SoloProbe {

  static final int BLIND_RUNS = 50;
  static final int SOLO_RUNS = 24;
  static final long LONGEST_NS = 1_000_000_000L;
  static final long FIRST_PAUSE_NS = 10_000_000_000L;
  static final long LONGEST_PAUSE_NS = 16 * FIRST_PAUSE_NS;

  private int blindRuns;
  private int soloRunsLeft;
  private long sinceNs;
  private long pauseNs;

  /** Returns true while batches are to run one at a time. */
  public boolean isOn() {
    return soloRunsLeft > 0;
  }

  /**
   * Takes note of a batch that ended.
   *
   * @param hadCompany whether others ran beside it for most of its time
   * @param isSoloKnown whether it is known how long it would have taken alone
   */
  public void onOutcome(boolean hadCompany, boolean isSoloKnown, long nowNs) {
    if (soloRunsLeft > 0) {
      soloRunsLeft = nowNs - sinceNs >= LONGEST_NS ? 0 : soloRunsLeft - (hadCompany ? 0 : 1);
    } else if (hadCompany) {
      blindRuns = isSoloKnown ? 0 : blindRuns + 1;
      if (isSoloKnown) {
        pauseNs = nowNs - sinceNs >= LONGEST_PAUSE_NS ? 0 : pauseNs;
      } else if (blindRuns >= BLIND_RUNS && (pauseNs == 0 || nowNs - sinceNs >= pauseNs)) {
        blindRuns = 0;
        soloRunsLeft = SOLO_RUNS;
        sinceNs = nowNs;
        pauseNs = pauseNs == 0 ? FIRST_PAUSE_NS : Math.min(LONGEST_PAUSE_NS, 2 * pauseNs);
      }
    } else {
      blindRuns = 0;
    }
  }
}
