package dev.conveyor.scheduler.batching;

/** How long batches take where the next one would run. */
@FunctionalInterface
public interface BatchCosts {

  /** Costs nothing is known about: every batch seems to take no time. */
  BatchCosts UNKNOWN = items -> 0;

  /**
   * Returns the time in nanoseconds that a batch rarely exceeds, from dispatch to its last answer;
   * 0 if nothing is known. A larger batch never takes less time.
   */
  long boundNs(int items);

  /**
   * Returns the same for a batch after which nothing waits. It may take less: nobody else may want
   * what it runs on.
   */
  default long lastNs(int items) {
    return boundNs(items);
  }

  /** Returns true if nothing has run here for so long that what is known may be out of date. */
  default boolean isStale(long nowNs) {
    return false;
  }
}
