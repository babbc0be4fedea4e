package dev.conveyor.models.backend;

import java.nio.file.Path;
import java.util.Optional;

/** Opens model files of one format. Thread-safe. */
public interface Backend {

  /** Returns the name in configurations, for example {@code onnxruntime}. */
  String name();

  /** Returns what changes when the same model may run differently: the library's version. */
  default String version() {
    return "";
  }

  /**
   * Returns what a file takes and gives, if that can be told without loading it. Blocking, for
   * milliseconds.
   */
  default Optional<Declared> declared(Path file) {
    return Optional.empty();
  }

  /**
   * Does what the first load in a process takes time for, whatever the model: libraries, code.
   * Blocking, for about a second; a process that never loads anything needs it not.
   */
  default void warmUp() {}

  /**
   * Loads the weights. Blocking, for seconds: never called on an event loop.
   *
   * @throws ModelLoadException if the file cannot be used; the message names it and says why
   */
  LoadedModel load(Path file, LoadOptions options);
}
