package dev.conveyor.verticles;

import dev.conveyor.scheduler.admission.LoadCell;

/**
 * What the front ends know about one version of a model before a request comes in: how busy it is,
 * or when it could answer. Thread-safe.
 */
public final class ModelDoor {

  /** Nothing is expected of a model that is in memory, or of which nothing is known. */
  private static final ColdStart UNKNOWN = new ColdStart(0, false);

  /**
   * When a version that is not in memory could answer, as far as is known. Immutable.
   *
   * @param ns of {@link System#nanoTime} if its load is under way, else from when it is asked for
   */
  public record ColdStart(long ns, boolean isUnderWay) {

    /** A load that would take so long. */
    public static ColdStart in(long ns) {
      return new ColdStart(ns, false);
    }

    /** A load that is under way. */
    public static ColdStart at(long ns) {
      return new ColdStart(ns, true);
    }

    /** Returns after how long a request that comes now could be answered. */
    long leftNs(long nowNs) {
      return isUnderWay ? Math.max(0, ns - nowNs) : ns;
    }
  }

  private final LoadCell load = new LoadCell();
  private volatile ColdStart coldStart = UNKNOWN;

  /** Returns where the scheduler leaves how busy the version is. */
  public LoadCell load() {
    return load;
  }

  /** Says when a version that is not in memory could answer. Called by the supervisor only. */
  public void expect(ColdStart start) {
    coldStart = start;
  }

  /** Returns when the version could answer, while it is not in memory. */
  public ColdStart coldStart() {
    return coldStart;
  }
}
