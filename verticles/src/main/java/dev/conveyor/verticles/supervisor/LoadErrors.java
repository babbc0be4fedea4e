package dev.conveyor.verticles.supervisor;

import dev.conveyor.memory.BudgetExceededException;
import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.backend.ModelLoadException;
import dev.conveyor.models.config.ConfigException;
import dev.conveyor.models.process.WorkerLostException;
import java.util.Locale;

/** What is said of loads that fail. Thread-safe: no state. */
final class LoadErrors {

  private LoadErrors() {}

  static InferenceException notLoaded(String name) {
    return new InferenceException(ErrorCode.NOT_FOUND, "model '" + name + "' is not loaded");
  }

  /** Returns what a request is told whose model was taken out of service. */
  static InferenceException unloaded(String name) {
    return new InferenceException(
        ErrorCode.UNAVAILABLE, "Model '" + name + "' is not ready: unloaded");
  }

  /** Returns whether there is no such model. */
  static boolean isNotFound(Throwable failure) {
    return failure instanceof InferenceException e && e.code() == ErrorCode.NOT_FOUND;
  }

  /** Returns why a load failed, in one word. */
  static String label(Throwable failure) {
    for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
      if (cause instanceof BudgetExceededException) {
        return "no_memory";
      } else if (cause instanceof WorkerLostException) {
        return "worker_lost";
      } else if (cause instanceof ConfigException) {
        return "configuration";
      } else if (cause instanceof LoadTimeoutException) {
        return "timeout";
      } else if (cause instanceof InferenceException e) {
        return e.code().name().toLowerCase(Locale.ROOT);
      }
    }
    return failure instanceof ModelLoadException ? "model" : "error";
  }

  /**
   * Returns what a client is told: a model that does not load is its request's fault, unless the
   * server lost its patience.
   */
  static Throwable forClient(String name, Throwable failure) {
    if (failure instanceof InferenceException) {
      return failure;
    }
    String message = "failed to load '%s': %s".formatted(name, failure.getMessage());
    return isTimeout(failure)
        ? new InferenceException(ErrorCode.UNAVAILABLE, message)
        : InferenceException.invalid(message);
  }

  private static boolean isTimeout(Throwable failure) {
    for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
      if (cause instanceof LoadTimeoutException) {
        return true;
      }
    }
    return false;
  }
}
