package dev.conveyor.scheduler;

import dev.conveyor.models.Tensor;
import java.util.List;

/**
 * The answer to one request: the outputs it asked for. Ownership of the tensors moves to whoever
 * receives it.
 */
public record InferenceResponse(String model, String version, List<Tensor> outputs) {

  /** Closes every output. */
  public void close() {
    outputs.forEach(Tensor::close);
  }
}
