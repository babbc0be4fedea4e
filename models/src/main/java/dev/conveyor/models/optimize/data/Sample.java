package dev.conveyor.models.optimize.data;

import dev.conveyor.models.Tensor;
import java.util.List;

/**
 * One item of data: what the model takes, and what is known about it.
 *
 * @param name for messages
 * @param inputs one per model input in the model's order, first dimension 1
 */
public record Sample(String name, List<Tensor> inputs, Truth truth) {
  public Sample {
    inputs = List.copyOf(inputs);
  }
}
