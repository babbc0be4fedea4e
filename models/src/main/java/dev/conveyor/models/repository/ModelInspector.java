package dev.conveyor.models.repository;

import dev.conveyor.models.backend.Declared;
import dev.conveyor.models.config.ConfigException;
import dev.conveyor.models.config.ModelConfig;
import java.nio.file.Path;
import java.util.Optional;

/** Looks into a model file for what it takes and gives. */
@FunctionalInterface
public interface ModelInspector {

  /**
   * Opens the file and closes it again. Blocking.
   *
   * @param config as read, not completed
   * @return empty if that cannot be told here: an engine is opened by the GPU that it was made for
   * @throws ConfigException without a file, if a setting of what executes the model is wrong
   * @throws RuntimeException if it is not a model; the message says why
   */
  Optional<Declared> inspect(Path modelFile, ModelConfig config);
}
