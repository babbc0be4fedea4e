package dev.conveyor.models.config;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Reshape;
import dev.conveyor.models.Shape;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * An input or output as configured (Triton's {@code ModelInput} and {@code ModelOutput}).
 *
 * @param type null leaves it to the model; completed configurations have one
 * @param dims what clients see, without the batch dimension; empty leaves it to the model, or is
 *     its scalar
 * @param reshape what the model sees of the same bytes, without the batch dimension; empty if that
 *     is {@code dims}
 * @param format order of an image's dimensions, for clients; nothing here depends on it
 * @param labelFilename file in the model's directory with one label per line; empty for none
 */
public record TensorConfig(
    String name,
    @Nullable DataType type,
    Shape dims,
    Optional<Shape> reshape,
    Format format,
    String labelFilename) {

  /** Triton's {@code ModelInput.Format}. */
  public enum Format {
    NONE,
    NHWC,
    NCHW
  }

  public TensorConfig {
    if (name.isEmpty()) {
      throw new ConfigException("name", "the name of a tensor", "nothing");
    }
    if (reshape.isPresent()) {
      Shape model = reshape.get();
      if (dims.rank() == 0) {
        throw new ConfigException("dims", "the shape that clients see, beside reshape", "nothing");
      }
      if (!new Reshape(dims, model).keepsElements()) {
        throw new ConfigException(
            "reshape.shape",
            "a shape with as many elements as dims=" + dims + ", and any size where that has it",
            model);
      }
    }
  }

  /** A tensor that the model sees as clients do. */
  public TensorConfig(String name, @Nullable DataType type, Shape dims, String labelFilename) {
    this(name, type, dims, Optional.empty(), Format.NONE, labelFilename);
  }

  /** Returns the shape that the model sees, without the batch dimension. */
  public Shape modelDims() {
    return reshape.orElse(dims);
  }
}
