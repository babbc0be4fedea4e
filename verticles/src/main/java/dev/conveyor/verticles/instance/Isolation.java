package dev.conveyor.verticles.instance;

import dev.conveyor.scheduler.isolation.Suspects;
import dev.conveyor.verticles.isolation.IsolationLog;

/** What the instances of one version share to keep faults small. Thread-safe. */
public final class Isolation {

  private final Suspects suspects = new Suspects();
  private final IsolationLog log;
  private volatile boolean probeWorks;

  /**
   * Creates what a newly loaded version begins with.
   *
   * @param log told of every decision
   */
  public Isolation(IsolationLog log) {
    this.log = log;
  }

  /** Returns the inputs that failed lately. */
  Suspects suspects() {
    return suspects;
  }

  IsolationLog log() {
    return log;
  }

  /** A healthy instance has run the synthetic batch: one that does not is sick. */
  void probeWorks() {
    probeWorks = true;
  }

  /** Returns false while the synthetic batch proves nothing. */
  boolean canProbe() {
    return probeWorks;
  }
}
