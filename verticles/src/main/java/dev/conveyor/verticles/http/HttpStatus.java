package dev.conveyor.verticles.http;

import dev.conveyor.models.ErrorCode;

/** The only mapping from error code to HTTP status. */
final class HttpStatus {

  private HttpStatus() {}

  static int of(ErrorCode code) {
    // No default: adding an ErrorCode must break this build.
    return switch (code) {
      case INVALID_REQUEST -> 400;
      case NOT_FOUND -> 404;
      case BODY_TIMEOUT -> 408;
      case ALREADY_EXISTS -> 409;
      case TOO_LARGE -> 413;
      case OVER_QUOTA -> 429;
      case CANCELLED -> 499;
      case EXECUTION_FAILED -> 500;
      case UNSUPPORTED -> 501;
      case UNAVAILABLE, QUEUE_FULL, OUT_OF_MEMORY, SHUTTING_DOWN, OVERLOADED -> 503;
      case DEADLINE_EXCEEDED -> 504;
    };
  }
}
