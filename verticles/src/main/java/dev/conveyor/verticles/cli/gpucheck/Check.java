package dev.conveyor.verticles.cli.gpucheck;

import java.time.Duration;

/** One thing that a GPU must show. Thread-confined: made and run once, in a process of its own. */
interface Check {

  /** Returns a name for the command line and for files: lower case, digits, hyphens. */
  String name();

  /** Returns in one line what holds if it passes. */
  String what();

  /** Returns how long it may take before its process is killed. */
  default Duration limit() {
    return Duration.ofMinutes(2);
  }

  /**
   * Looks. Whatever it throws counts as a failure, with the message for the reason.
   *
   * @throws Exception if what is checked does not work at all
   */
  Finding run(CheckSite site) throws Exception;
}
