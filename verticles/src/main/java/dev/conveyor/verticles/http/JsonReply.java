package dev.conveyor.verticles.http;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpHeaders;
import io.vertx.core.http.HttpServerResponse;
import io.vertx.core.json.JsonObject;
import org.jspecify.annotations.Nullable;

/** Writes JSON answers, and errors in the protocol's form. Thread-safe: no state. */
final class JsonReply {

  private JsonReply() {}

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
    switch (code) {
      case QUEUE_FULL, SHUTTING_DOWN, OUT_OF_MEMORY -> response.putHeader("Retry-After", "1");
      default -> {}
    }
    send(response, new JsonObject().put("error", message).toBuffer());
  }
}
