package dev.conveyor.models.repository;

import dev.conveyor.models.backend.Declared;
import java.nio.file.Path;

/** Looks into a model file for what it takes and gives. */
@FunctionalInterface
public interface ModelInspector {

  /**
   * Opens the file and closes it again. Blocking.
   *
   * @throws RuntimeException if it is not a model; the message says why
   */
  Declared inspect(Path modelFile);
}
