package dev.conveyor.models.config;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import org.jspecify.annotations.Nullable;

/**
 * An input or output as configured (Triton's {@code ModelInput} and {@code ModelOutput}).
 *
 * @param type null leaves it to the model; completed configurations have one
 * @param dims shape without the batch dimension; empty leaves it to the model, or is its scalar
 * @param optional requests may leave this input out
 * @param labelFilename file in the model's directory with one label per line; empty for none
 */
public record TensorConfig(
    String name, @Nullable DataType type, Shape dims, boolean optional, String labelFilename) {

  public TensorConfig {
    if (name.isEmpty()) {
      throw new ConfigException("name", "the name of a tensor", "nothing");
    }
  }
}
