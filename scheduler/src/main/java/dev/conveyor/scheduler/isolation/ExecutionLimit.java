package dev.conveyor.scheduler.isolation;

import dev.conveyor.scheduler.profile.CostProfile;

/**
 * How long an execution may take before it counts as hung: nine times what the profile says it
 * rarely exceeds, and no less than nine tenths of a second. To notice, to decide and to tell those
 * who wait takes time as well; with that, it is cut within ten times, and within a second. What the
 * profile knows of is one execution: of a batch that runs in parts, each has the limit for itself.
 *
 * <p>Thread-safe: immutable.
 *
 * @param unknownNs of an execution whose model has not run yet; such a run may compile, tune and
 *     page in
 * @param leastNs of one whose model has, however short it is otherwise
 */
public record ExecutionLimit(long unknownNs, long leastNs) {

  /** Of every server; others are for tests, which hold executions for as long as they like. */
  public static final ExecutionLimit DEFAULT = new ExecutionLimit(30_000_000_000L, 900_000_000L);

  private static final long FACTOR = 9;
  private static final int MOST_DOUBLINGS = 6;

  private static final long LEAST_PATIENCE_NS = 20_000_000L;
  private static final long PATIENCE = 3;

  private static final long LEAST_TURN_NS = 1_000_000L;

  /** Returns how long no execution takes too long, of whatever model. */
  public long leastPatienceNs() {
    return Math.min(LEAST_PATIENCE_NS, unknownNs);
  }

  /**
   * Returns how long an execution of so many items may keep its room on the device to itself. Most
   * that take longer are slow and end; but one that is stopped or sleeps uses no core, and one that
   * does costs the others less than waiting until it is cut.
   */
  public static long patienceNs(CostProfile profile, int items) {
    return profile.isKnown()
        ? Math.max(LEAST_PATIENCE_NS, PATIENCE * profile.predictTailNs(items))
        : DEFAULT.unknownNs;
  }

  /**
   * Returns how long an execution of so many items may keep others from a core that is free, where
   * they only wait because fewer at once do more work. What takes longer than it does in 99 of 100
   * cases may have come to a stop, and then they would wait for nothing.
   */
  public static long turnNs(CostProfile profile, int items) {
    return profile.isKnown()
        ? Math.max(LEAST_TURN_NS, profile.predictTailNs(items))
        : DEFAULT.unknownNs;
  }

  /**
   * Returns the limit of one execution of so many items. Executions that are cut teach the profile
   * nothing, so a model that has become slow, or whose first run takes long, would be cut for ever:
   * the limit doubles with each that is cut on end, the profile's from the third on, since a
   * request that hangs for good is tried twice.
   *
   * @param cuts executions that were cut since the last that ended well
   */
  public long ns(CostProfile profile, int items, int cuts) {
    return profile.isKnown()
        ? Math.max(leastNs, FACTOR * profile.predictTailNs(items)) << doublings(cuts - 2)
        : unknownNs << doublings(cuts);
  }

  private static int doublings(int wanted) {
    return Math.max(0, Math.min(MOST_DOUBLINGS, wanted));
  }
}
