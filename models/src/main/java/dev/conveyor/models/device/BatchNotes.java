package dev.conveyor.models.device;

import dev.conveyor.memory.cuda.Cuda;

/**
 * Notes when the batches of one pipeline did what, by the events of their slots. Not thread-safe:
 * owned by the thread that waits for the batches.
 */
final class BatchNotes {

  private final Cuda cuda;
  private final PipelineTrace trace;
  private final long begun;

  /**
   * Counts from now.
   *
   * @param stream on which batches begin
   * @param releases gives its event back
   */
  BatchNotes(Cuda cuda, long stream, PipelineTrace trace, Releases releases) {
    this.cuda = cuda;
    this.trace = trace;
    long event = cuda.newEvent();
    this.begun = event;
    releases.add(() -> cuda.destroyEvent(event));
    cuda.record(event, stream);
  }

  /** Notes a batch that is over. */
  void add(Slot slot) {
    trace.add(
        new PipelineTrace.Batch(
            slot.number,
            slot.items,
            sinceBegun(slot.begun),
            sinceBegun(slot.copiedIn),
            sinceBegun(slot.computing),
            sinceBegun(slot.computed),
            sinceBegun(slot.done)));
  }

  private long sinceBegun(long event) {
    return cuda.elapsedNs(begun, event);
  }
}
