package dev.conveyor.scheduler;

/**
 * Lets the thread that ran a batch wait awake for the next one. To wake a sleeping thread takes 20
 * µs on a virtual machine, which is a third of what a small request takes in all.
 *
 * <p>Thread-safe: the scheduler allows it before it hands the batch over, and ends it when it has
 * sent the instance another; the instance waits.
 */
public final class Linger {

  private long limitNs;
  private volatile boolean ended;

  /** Allows the instance to wait this long. Before the batch is handed over. */
  void allow(long ns) {
    limitNs = ns;
  }

  /** Returns whether requests come alone, so that it pays to wait awake. */
  public boolean isAllowed() {
    return limitNs > 0;
  }

  /** Says that the next batch is on its way. */
  void end() {
    ended = true;
  }

  /**
   * Waits awake for the next batch, at most as long as is allowed; usually not at all. Others that
   * need this core get it.
   */
  @SuppressWarnings("ThreadPriorityCheck") // what depends on the scheduler is the time it takes
  public void await() {
    if (limitNs <= 0 || ended) {
      return;
    }
    long start = System.nanoTime();
    while (!ended && System.nanoTime() - start < limitNs) {
      Thread.yield();
    }
  }
}
