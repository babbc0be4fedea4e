package dev.conveyor.scheduler.isolation;

/**
 * When to look whether executions take too long: not while nothing runs, nor before one of them
 * could.
 *
 * <p>Not thread-safe: owned by whoever looks. Reads no clock.
 *
 * <p>Between two looks no more than {@link #FARTHEST_NS} pass while something runs, which is less
 * than {@link Stalls} takes for a standstill: of a gap that is longer, whoever looks was stopped or
 * held up, and executions do not grow older for the rest of it.
 *
 * <p>A look is due before it has to be taken: whoever is awake in between takes it, and need not be
 * woken for it {@link #LATE_NS} after.
 */
public final class ExecutionWatch {

  /** What {@link #untilWakeNs} returns if nothing is to be looked at. */
  public static final long NEVER = Long.MAX_VALUE;

  /** A look may be late by so much. */
  public static final long LATE_NS = 10_000_000;

  /** The longest time from one look to the next one that is due. */
  public static final long FARTHEST_NS = 100_000_000;

  private final long soonestNs;
  private final Stalls stalls = new Stalls(0);
  private boolean watching;
  private long dueNs;

  /**
   * Begins without executions.
   *
   * @param soonestNs no execution takes too long before
   */
  public ExecutionWatch(long soonestNs) {
    this.soonestNs = Math.min(soonestNs, FARTHEST_NS);
  }

  /** An execution begins. */
  public void began(long nowNs) {
    if (!watching) {
      watching = true;
      stalls.resume(nowNs);
      dueNs = nowNs + soonestNs;
    } else if (dueNs - nowNs > soonestNs) {
      dueNs = nowNs + soonestNs;
    }
  }

  /** Returns true if it is time to look. */
  public boolean isDue(long nowNs) {
    return watching && nowNs - dueNs >= 0;
  }

  /** Begins to look; returns for how long nobody could. */
  public Stalls look(long nowNs) {
    stalls.look(nowNs);
    return stalls;
  }

  /**
   * Ends a look.
   *
   * @param untilNs how long until an execution takes too long; {@link #NEVER} if nothing runs
   */
  public void looked(long nowNs, long untilNs) {
    watching = untilNs != NEVER;
    dueNs = nowNs + Math.min(untilNs, FARTHEST_NS);
  }

  /** Returns how long until somebody must be woken to look, or {@link #NEVER}. */
  public long untilWakeNs(long nowNs) {
    return watching ? Math.max(0, dueNs + LATE_NS - nowNs) : NEVER;
  }
}
