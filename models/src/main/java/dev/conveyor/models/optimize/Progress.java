package dev.conveyor.models.optimize;

/** Told how far a long step is. Called on the thread that works. */
@FunctionalInterface
public interface Progress {

  /** Tells nobody. */
  Progress NONE = (step, done, total) -> {};

  /**
   * Called now and then, and with {@code done == total} at the end of a step.
   *
   * @param step what is being done, in a few words
   */
  void at(String step, int done, int total);
}
