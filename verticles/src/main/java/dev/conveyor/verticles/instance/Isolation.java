package dev.conveyor.verticles.instance;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.conveyor.scheduler.isolation.Suspects;
import dev.conveyor.verticles.isolation.IsolationLog;

/** What the instances of one version share to keep faults small. Thread-safe. */
public final class Isolation {

  /** Clients that send bad inputs only must not have instances replaced again and again. */
  private static final long REPLACE_WELL_EVERY_NS = 300_000_000_000L;

  private final Suspects suspects = new Suspects();
  private final IsolationLog log;
  private volatile boolean probeWorks;

  @GuardedBy("this")
  private long replacedNs;

  @GuardedBy("this")
  private boolean replaced;

  /**
   * Creates what a newly loaded version begins with.
   *
   * @param log told of every decision
   */
  public Isolation(IsolationLog log) {
    this.log = log;
  }

  /** Returns the inputs that failed lately, or cost instances. */
  public Suspects suspects() {
    return suspects;
  }

  IsolationLog log() {
    return log;
  }

  /** A healthy instance has run the synthetic batch: one that does not is sick. */
  void probeWorks() {
    probeWorks = true;
  }

  /**
   * Returns whether an instance that runs the synthetic batch may be replaced all the same, since
   * its other batches fail: once in five minutes.
   */
  synchronized boolean mayReplaceWell(long nowNs) {
    if (replaced && nowNs - replacedNs < REPLACE_WELL_EVERY_NS) {
      return false;
    }
    replaced = true;
    replacedNs = nowNs;
    return true;
  }

  /** Returns false while the synthetic batch proves nothing. */
  boolean canProbe() {
    return probeWorks;
  }
}
