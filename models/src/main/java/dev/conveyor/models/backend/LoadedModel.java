package dev.conveyor.models.backend;

import dev.conveyor.models.TensorSpec;
import java.util.List;

/**
 * A model's weights on one device, shared by its instances. Thread-safe, but closed once, after
 * every executor.
 */
public interface LoadedModel extends AutoCloseable {

  /** Returns the inputs as the file declares them, full shapes, dynamic dimensions -1. */
  List<TensorSpec> inputs();

  /** Returns the outputs as the file declares them, full shapes, dynamic dimensions -1. */
  List<TensorSpec> outputs();

  /** Returns the bytes reserved in the ledger for the weights and their workspace. */
  long reservedBytes();

  /** Returns whether executors take {@link dev.conveyor.models.image.LateImages} as they are. */
  default boolean decodesImages() {
    return false;
  }

  /**
   * Creates what one instance needs. Called on the thread that will own the executor.
   *
   * @param maxBatchSize largest batch it will be given; 0 if the model does not batch
   */
  ModelExecutor newExecutor(int maxBatchSize);

  @Override
  void close();
}
