package dev.conveyor.models.ensemble;

import dev.conveyor.models.TensorSpec;
import java.util.List;

/**
 * A model as a step sees it.
 *
 * @param inputs what clients send, full shapes
 * @param tensors the same inputs as the model itself takes them, in the same order; differs where
 *     images are decoded first
 * @param outputs full shapes
 * @param maxBatchSize 0 if it does not batch
 */
public record Member(
    List<TensorSpec> inputs, List<TensorSpec> tensors, List<TensorSpec> outputs, int maxBatchSize) {

  /** Finds the models of steps. */
  @FunctionalInterface
  public interface Lookup {

    /**
     * Finds a model.
     *
     * @param version a version, or {@link dev.conveyor.models.config.EnsembleConfig#LATEST}
     * @throws dev.conveyor.models.InferenceException if it is not served
     */
    Member find(String model, long version);
  }
}
