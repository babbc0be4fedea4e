package dev.conveyor.verticles;

import dev.conveyor.models.InferenceException;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What a load request brings along, instead of what the repository has (Triton's load parameters
 * {@code config} and {@code file:PATH}).
 *
 * @param configJson replaces the model's configuration file; null reads the file
 * @param files contents of the model's directory, by path in it, such as {@code 1/model.onnx};
 *     empty takes the repository's
 */
public record ModelOverride(@Nullable String configJson, Map<String, byte[]> files) {

  /** Load parameter that is a configuration. */
  public static final String CONFIG = "config";

  /** What the names of the load parameters that are files begin with. */
  public static final String FILE_PREFIX = "file:";

  /**
   * Checks what came.
   *
   * @throws InferenceException INVALID_REQUEST for files without a configuration: what lies in the
   *     repository belongs to other files
   */
  public ModelOverride {
    files = Map.copyOf(files);
    if (!files.isEmpty() && configJson == null) {
      throw InferenceException.invalid(
          "load parameter 'config' must be there when files are, found only '"
              + FILE_PREFIX
              + files.keySet().iterator().next()
              + "'");
    }
  }
}
