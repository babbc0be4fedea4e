package dev.conveyor.verticles.supervisor;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;

/** What is said of loads that fail. Thread-safe: no state. */
final class LoadErrors {

  private LoadErrors() {}

  static InferenceException shuttingDown() {
    return new InferenceException(ErrorCode.SHUTTING_DOWN, "The server is shutting down");
  }

  /** Returns whether there is no such model. */
  static boolean isNotFound(Throwable failure) {
    return failure instanceof InferenceException e && e.code() == ErrorCode.NOT_FOUND;
  }

  /** Returns what a client is told: a model that does not load is its request's fault. */
  static Throwable forClient(String name, Throwable failure) {
    return failure instanceof InferenceException
        ? failure
        : InferenceException.invalid(
            "failed to load '%s': %s".formatted(name, failure.getMessage()));
  }
}
