package dev.conveyor.verticles.http;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.RefusalReason;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpHeaders;
import io.vertx.core.http.HttpServerResponse;
import io.vertx.core.json.JsonObject;
import org.jspecify.annotations.Nullable;

/** Writes JSON answers, and errors in the protocol's form. Thread-safe: no state. */
final class JsonReply {

  private static final long NS_PER_SECOND = 1_000_000_000;

  private JsonReply() {}

  /** Says in an answer why a request was refused, and when to try again, as far as is known. */
  static void explain(@Nullable Throwable failure, JsonObject answer) {
    if (failure instanceof InferenceException e) {
      RefusalReason reason = e.reason();
      if (reason != null) {
        answer.put("reason", reason.label());
      }
      if (e.retryAfterNs() >= 0) {
        answer.put("retry_after_ms", e.retryAfterNs() / 1e6);
      }
    }
  }

  /** Rounds up to the header's whole seconds; the body has the exact time. */
  private static String retryAfterSeconds(@Nullable Throwable failure) {
    long seconds =
        failure instanceof InferenceException e && e.retryAfterNs() >= 0
            ? (e.retryAfterNs() + NS_PER_SECOND - 1) / NS_PER_SECOND
            : 1;
    return Long.toString(Math.max(1, seconds));
  }

  static void send(HttpServerResponse response, Buffer json) {
    if (!response.ended() && !response.closed()) {
      response.putHeader(HttpHeaders.CONTENT_TYPE, "application/json").end(json);
    }
  }

  /** Answers {@code {"error": message}}; does nothing if the client is gone. */
  static void fail(HttpServerResponse response, @Nullable Throwable failure) {
    if (response.ended() || response.closed()) {
      return;
    }
    ErrorCode code =
        failure instanceof InferenceException e ? e.code() : ErrorCode.EXECUTION_FAILED;
    String message = failure == null ? "unknown" : String.valueOf(failure.getMessage());
    response.setStatusCode(HttpStatus.of(code));
    JsonObject body = new JsonObject().put("error", message);
    switch (code) {
      case UNAVAILABLE, QUEUE_FULL, SHUTTING_DOWN, OUT_OF_MEMORY, OVERLOADED, OVER_QUOTA -> {
        response.putHeader("Retry-After", retryAfterSeconds(failure));
        explain(failure, body);
      }
      case DEADLINE_EXCEEDED -> {
        if (failure instanceof InferenceException e && e.retryAfterNs() >= 0) {
          response.putHeader("Retry-After", retryAfterSeconds(e));
          explain(e, body);
        }
      }
      default -> {}
    }
    send(response, body.toBuffer());
  }
}
