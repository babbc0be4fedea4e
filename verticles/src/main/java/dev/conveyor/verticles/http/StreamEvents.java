package dev.conveyor.verticles.http;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.verticles.stream.FrameGate;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.json.JsonObject;
import java.nio.ByteBuffer;

/** The events of a stream of frames, as text. Thread-safe: no state. */
final class StreamEvents {

  private StreamEvents() {}

  /** Returns a line that readers of events skip. */
  static Buffer comment() {
    return Buffer.buffer(":\n\n");
  }

  /** Returns the event of a frame that was answered. */
  static Buffer result(long number, ByteBuffer json) {
    Buffer event = head("result", number);
    byte[] data = new byte[json.remaining()];
    json.duplicate().get(data);
    return event.appendString("data: ").appendBytes(data).appendString("\n\n");
  }

  /** Returns the event of a frame that failed. */
  static Buffer error(long number, Throwable failure) {
    return of("error", number, json(failure));
  }

  /** Returns the event of a stream that cannot be read on. */
  static Buffer fatal(InferenceException failure) {
    return Buffer.buffer("event: error\ndata: " + json(failure).encode() + "\n\n");
  }

  /** Returns the event that ends every stream whose client still listens. */
  static Buffer end(FrameGate.Counts counts) {
    JsonObject json =
        new JsonObject()
            .put("received", counts.received())
            .put("answered", counts.answered())
            .put("failed", counts.failed())
            .put("dropped", counts.dropped());
    return Buffer.buffer("event: end\ndata: " + json.encode() + "\n\n");
  }

  static Buffer of(String name, long number, JsonObject json) {
    JsonObject numbered = new JsonObject().put("id", Long.toString(number)).mergeIn(json);
    return head(name, number).appendString("data: " + numbered.encode() + "\n\n");
  }

  private static Buffer head(String name, long number) {
    return Buffer.buffer("event: " + name + "\nid: " + number + "\n");
  }

  private static JsonObject json(Throwable failure) {
    ErrorCode code =
        failure instanceof InferenceException e ? e.code() : ErrorCode.EXECUTION_FAILED;
    JsonObject json =
        new JsonObject()
            .put("error", String.valueOf(failure.getMessage()))
            .put("status", HttpStatus.of(code));
    JsonReply.explain(failure, json);
    return json;
  }
}
