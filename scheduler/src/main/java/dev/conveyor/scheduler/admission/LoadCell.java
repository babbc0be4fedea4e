package dev.conveyor.scheduler.admission;

/**
 * Where the scheduler leaves the load of one version of a model for the front ends to see.
 *
 * <p>Thread-safe: one writer, any number of readers. What is read may be as old as one turn of the
 * scheduler's event loop; the scheduler itself decides last.
 */
public final class LoadCell {

  private volatile ModelLoad load = ModelLoad.IDLE;

  public ModelLoad get() {
    return load;
  }

  /** Replaces what readers see. Called by the scheduler only. */
  public void set(ModelLoad load) {
    this.load = load;
  }
}
