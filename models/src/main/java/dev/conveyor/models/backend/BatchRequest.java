package dev.conveyor.models.backend;

import dev.conveyor.models.Tensor;
import java.util.List;

/** One request of a batch, as the backend sees it. */
public interface BatchRequest {

  /** Returns the first dimension it occupies in the batch; 1 if the model does not batch. */
  int batchSize();

  /** Returns one tensor per model input, in the model's order. */
  List<Tensor> inputs();

  /**
   * Returns whether an output may stay on the device that computes it, because it is read nowhere
   * else. Whoever reads it elsewhere all the same has it copied. Asked by the thread that submits
   * the batch; must not block.
   *
   * @param device name of the device
   * @param output name of the output
   */
  default boolean mayStay(String device, String output) {
    return false;
  }
}
