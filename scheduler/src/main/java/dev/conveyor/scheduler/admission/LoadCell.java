package dev.conveyor.scheduler.admission;

/**
 * Where the scheduler leaves the load of one version of a model for the front ends to see.
 *
 * <p>Front ends leave word of what the scheduler does not see: whom they keep out although the
 * queue is short, because the images of others wait.
 *
 * <p>Thread-safe: one writer, any number of readers. What is read may be as old as one turn of the
 * scheduler's event loop; the scheduler itself decides last.
 */
public final class LoadCell {

  private volatile ModelLoad load = ModelLoad.IDLE;
  private volatile boolean hasRefused;
  private volatile long refusedNs;

  public ModelLoad get() {
    return load;
  }

  /** A front end kept out a request that the queue would have taken. */
  public void refused(long nowNs) {
    refusedNs = nowNs;
    hasRefused = true;
  }

  /** Returns true if that was less than so long ago. */
  public boolean hasRefusedWithin(long ns, long nowNs) {
    return hasRefused && nowNs - refusedNs < ns;
  }

  /** Replaces what readers see. Called by the scheduler only. */
  public void set(ModelLoad load) {
    this.load = load;
  }
}
