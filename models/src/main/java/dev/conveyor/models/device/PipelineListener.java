package dev.conveyor.models.device;

import dev.conveyor.models.backend.BatchRequest;
import dev.conveyor.models.backend.BatchResult;
import dev.conveyor.models.backend.ExecutionException;
import java.util.List;

/**
 * Is told of every batch that was submitted, exactly once, in the order of submission, on the
 * thread that waits for batches (or that abandons them).
 */
public interface PipelineListener {

  /** The batch is done. The receiver owns the outputs; the inputs are read no more. */
  void onResult(List<? extends BatchRequest> requests, BatchResult result);

  /**
   * The batch failed. After {@link Pipeline#abandon} the device may still read its inputs: their
   * memory may be used again, but must not be given back to the system.
   */
  void onFailure(List<? extends BatchRequest> requests, ExecutionException failure);
}
