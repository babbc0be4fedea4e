package dev.conveyor.scheduler;

/**
 * A batch, and the instance that is to run it now. Whoever gets one tells the {@link Scheduler} how
 * it ended, once.
 */
public final class Assignment {

  final InstanceState state;
  private final Batch batch;

  Assignment(InstanceState state, Batch batch) {
    this.state = state;
    this.batch = batch;
  }

  public InstanceRef instance() {
    return state.ref;
  }

  public Batch batch() {
    return batch;
  }

  /** Tells the instance, if it waits awake, that this has been sent to it. */
  void announce() {
    Linger before = state.lingering;
    state.lingering = batch.linger();
    if (before != null) {
      before.end();
    }
  }
}
