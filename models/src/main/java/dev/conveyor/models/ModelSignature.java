package dev.conveyor.models;

import java.util.List;
import java.util.Optional;

/**
 * Inputs and outputs of a model, in the model's order.
 *
 * @param maxBatchSize largest first dimension of one execution; 0 if the model does not batch, and
 *     then the shapes have no batch dimension
 */
public record ModelSignature(List<TensorSpec> inputs, List<TensorSpec> outputs, int maxBatchSize) {

  public ModelSignature {
    inputs = List.copyOf(inputs);
    outputs = List.copyOf(outputs);
  }

  public boolean batches() {
    return maxBatchSize > 0;
  }

  public Optional<TensorSpec> input(String name) {
    return inputs.stream().filter(s -> s.name().equals(name)).findFirst();
  }

  public Optional<TensorSpec> output(String name) {
    return outputs.stream().filter(s -> s.name().equals(name)).findFirst();
  }
}
