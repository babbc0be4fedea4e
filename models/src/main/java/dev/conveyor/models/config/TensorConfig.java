package dev.conveyor.models.config;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;

/**
 * An input or output as configured (Triton's {@code ModelInput} and {@code ModelOutput}).
 *
 * @param dims shape without the batch dimension
 * @param optional requests may leave this input out
 * @param labelFilename file in the model's directory with one label per line; empty for none
 */
public record TensorConfig(
    String name, DataType type, Shape dims, boolean optional, String labelFilename) {

  public TensorConfig {
    if (name.isEmpty()) {
      throw new ConfigException("name", "must not be empty");
    }
  }
}
