package dev.conveyor.models.backend;

import org.jspecify.annotations.Nullable;

/** A model that cannot be loaded; the message names the file, what was found and why. */
public final class ModelLoadException extends RuntimeException {

  public ModelLoadException(String message) {
    super(message);
  }

  public ModelLoadException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }
}
