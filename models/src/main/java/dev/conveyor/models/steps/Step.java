package dev.conveyor.models.steps;

import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import java.util.List;

/**
 * A step of an ensemble that needs no model: plain tensors in, plain tensors out.
 *
 * <p>Thread-safe: one object serves all requests of an ensemble, several at a time, on worker
 * threads. It may block, and keeps nothing between requests.
 */
public interface Step {

  /** Returns the names of the inputs, in the order of {@link #run}. */
  List<String> inputs();

  /**
   * Returns what it gives for inputs like these.
   *
   * @param inputs full shapes in the order of {@link #inputs}, dynamic dimensions -1, the batch
   *     first if the ensemble batches
   * @throws dev.conveyor.models.config.ConfigException if it cannot take them
   */
  List<TensorSpec> outputs(List<TensorSpec> inputs);

  /**
   * Runs one request.
   *
   * @param inputs in the order of {@link #inputs}; read only; the caller closes them afterwards
   * @param resources where tensors come from, so that what all requests hold stays bounded
   * @return in the order of {@link #outputs}, in memory of their own
   * @throws dev.conveyor.models.InferenceException if these values cannot be used
   */
  List<Tensor> run(List<Tensor> inputs, StepResources resources);

  /**
   * Returns whether it decodes images, which takes milliseconds each. It then runs on the threads
   * that decode the images of models, at their priority: below that of batches.
   */
  default boolean decodesImages() {
    return false;
  }

  /** Returns whether what it gives may be made on a device, of inputs on the host. */
  default boolean makesOnDevice() {
    return false;
  }

  /**
   * Returns whether an input is read where it lies, on a device too, and what the step gives may
   * stay there. It reads everything else on the host.
   */
  default boolean worksOnDevice(String input) {
    return false;
  }
}
