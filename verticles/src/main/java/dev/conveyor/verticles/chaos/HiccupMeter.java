package dev.conveyor.verticles.chaos;

/**
 * Finds out how late a thread is that should come by regularly, as jHiccup does: what it waited for
 * the processor, the collector or its own work, requests waited for as well.
 *
 * <p>Not thread-safe: owned by the thread that is looked at.
 */
final class HiccupMeter {

  /** How often it should come by. */
  static final long PERIOD_NS = 1_000_000;

  private boolean began;
  private long lastNs;

  /** Returns by how much more than the period ago the last call was; 0 for the first. */
  long lateNs(long nowNs) {
    long lateNs = began ? Math.max(0, nowNs - lastNs - PERIOD_NS) : 0;
    began = true;
    lastNs = nowNs;
    return lateNs;
  }
}
