package dev.conveyor.scheduler;

import org.jspecify.annotations.Nullable;

/**
 * A batch, and the instance that is to run it now. Whoever gets one tells the {@link Scheduler} how
 * it ended, once.
 */
public final class Assignment {

  final InstanceState state;

  /** What this runs a second time; null for what runs for the first. */
  final @Nullable Assignment hedgeOf;

  /** It is not to run a second time, or not again. */
  boolean hedged;

  private final Batch batch;

  Assignment(InstanceState state, Batch batch, @Nullable Assignment hedgeOf) {
    this.state = state;
    this.batch = batch;
    this.hedgeOf = hedgeOf;
    this.hedged = hedgeOf != null;
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
