package dev.conveyor.scheduler.isolation;

/**
 * Remembers when whoever watches executions stood still itself, and so, perhaps, did everything:
 * executions are not overdue for that.
 *
 * <p>Not thread-safe: owned by the watchdog. Reads no clock. Of the time between two looks all but
 * {@value #STALL_NS} ns is a stall, so that however often the watchdog is held up, what it watches
 * grows older with every look. The last {@value #MOST} stalls are known.
 */
public final class Stalls {

  private static final long STALL_NS = 200_000_000;
  private static final int MOST = 64;

  private final long[] fromNs = new long[MOST];
  private final long[] toNs = new long[MOST];
  private long stalls;
  private long lookedNs;
  private long endNs;

  /** Begins to look. */
  public Stalls(long nowNs) {
    lookedNs = nowNs;
    endNs = nowNs;
  }

  /** Looks again after a time in which there was nothing to look at, which is no stall. */
  public void resume(long nowNs) {
    lookedNs = nowNs;
    endNs = nowNs;
  }

  /** Takes a look. */
  public void look(long nowNs) {
    if (nowNs - lookedNs > STALL_NS) {
      int at = (int) (stalls++ % MOST);
      fromNs[at] = lookedNs + STALL_NS;
      toNs[at] = nowNs;
      endNs = nowNs;
    }
    lookedNs = nowNs;
  }

  /** Returns when the last stall ended, or when it began to look, whichever is later. */
  public long endNs() {
    return endNs;
  }

  /** Returns how long an execution has run, stalls left out. */
  public long ageNs(RunClock clock, long nowNs) {
    long ageNs = clock.ageNs(nowNs);
    long startedNs = nowNs - ageNs;
    for (int i = 0; i < Math.min(stalls, MOST); i++) {
      long beganNs = fromNs[i] - startedNs > 0 ? fromNs[i] : startedNs;
      long lastedNs = toNs[i] - beganNs;
      ageNs -= Math.max(0, lastedNs);
    }
    return ageNs;
  }
}
