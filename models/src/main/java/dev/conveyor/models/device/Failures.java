package dev.conveyor.models.device;

import dev.conveyor.memory.BudgetExceededException;
import dev.conveyor.memory.cuda.CudaException;
import dev.conveyor.models.backend.ExecutionException;
import dev.conveyor.models.backend.ExecutionException.Kind;

/** Tells of which kind a failure of a batch is. Stateless. */
final class Failures {

  private Failures() {}

  /**
   * Returns what the requests of the batch are told.
   *
   * @param lost whether nothing of its instance can run any more
   */
  static ExecutionException of(Throwable e, boolean lost) {
    String message = String.valueOf(e instanceof Error ? e : e.getMessage());
    if (lost) {
      return new ExecutionException(Kind.INSTANCE_LOST, message);
    }
    if (e instanceof ExecutionException known) {
      return known;
    }
    boolean outOfMemory =
        e instanceof OutOfMemoryError
            || e instanceof BudgetExceededException
            || (e instanceof CudaException cause && cause.isOutOfMemory());
    return new ExecutionException(outOfMemory ? Kind.OUT_OF_MEMORY : Kind.RUN, message);
  }
}
