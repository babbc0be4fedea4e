package dev.conveyor.verticles.instance;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.backend.ExecutionException;
import dev.conveyor.models.backend.ExecutionException.Kind;
import dev.conveyor.scheduler.InferenceRequest;
import dev.conveyor.verticles.ServedModel;

/** What failures of executions mean, and how they are told. */
final class Failures {

  private Failures() {}

  static String reason(Throwable failure) {
    return isOutOfMemory(failure) ? "out_of_memory" : "execution_failed";
  }

  static InferenceException toClient(ServedModel served, Throwable cause) {
    return new InferenceException(
        cause instanceof InferenceException said
            ? said.code()
            : isOutOfMemory(cause) ? ErrorCode.OUT_OF_MEMORY : ErrorCode.EXECUTION_FAILED,
        "model '%s', version %s: %s".formatted(served.name(), served.version(), describe(cause)));
  }

  private static boolean isOutOfMemory(Throwable cause) {
    return cause instanceof OutOfMemoryError
        || (cause instanceof ExecutionException e && e.kind() == Kind.OUT_OF_MEMORY)
        || (cause instanceof InferenceException said && said.code() == ErrorCode.OUT_OF_MEMORY);
  }

  /** Returns whether an input could not be had: the same bytes may be all right the next time. */
  static boolean isGone(Throwable cause) {
    return cause instanceof InferenceException said && said.code() == ErrorCode.UNAVAILABLE;
  }

  static String describe(Throwable cause) {
    String message = cause.getMessage();
    return message == null ? cause.toString() : message;
  }

  static String traced(InferenceRequest request) {
    return request.trace().isEmpty() ? "" : ", traceparent " + request.trace();
  }
}
