package dev.conveyor.models.backend;

import dev.conveyor.models.TensorSpec;
import java.util.List;

/**
 * What a model file declares.
 *
 * @param inputs full shapes, dynamic dimensions -1
 * @param outputs likewise
 */
public record Declared(List<TensorSpec> inputs, List<TensorSpec> outputs) {
  public Declared {
    inputs = List.copyOf(inputs);
    outputs = List.copyOf(outputs);
  }
}
