package dev.conveyor.models.process;

/** A worker as who looks after it sees it. Thread-safe. */
interface Looked {

  long pid();

  boolean isAlive();

  /** Returns how far the process has counted; it counts on as long as it is well. */
  long beats();

  /**
   * Returns the bytes in memory that the process holds, those that it was lent left out.
   *
   * @param limitBytes up to here it does not matter how much it is
   */
  long heldBytes(long limitBytes);

  /** Returns the number of the step of a load that it is at; 0 if it is at none. */
  long loading();

  /** Kills the process; the first verdict stays. Who waits for an answer waits no longer. */
  void kill(Loss why);

  /** Gives up a process that a signal ends before that has come to its end. */
  void killIfEnding();
}
