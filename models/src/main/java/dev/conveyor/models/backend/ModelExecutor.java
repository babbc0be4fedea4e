package dev.conveyor.models.backend;

import java.util.List;

/**
 * Runs batches for one instance of a model. Thread-confined: created, used and closed by one
 * thread.
 */
public interface ModelExecutor extends AutoCloseable {

  /**
   * Runs one batch and blocks until it is done.
   *
   * @param requests the inputs of each request, in the model's order; the caller keeps them and
   *     must not close them before this returns
   * @return the outputs, split by request again
   * @throws ExecutionException if the run fails; nothing of the batch was answered
   */
  BatchResult execute(List<? extends BatchRequest> requests);

  @Override
  void close();
}
