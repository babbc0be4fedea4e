package dev.conveyor.verticles.page;

import io.vertx.core.Context;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpServerResponse;

/**
 * One browser's stream of events.
 *
 * <p>Thread-safe, but for {@link #open}: the rest moves to the event loop of the connection by
 * itself. A browser that does not read misses events rather than fill memory, and is cut off if it
 * does not recover.
 */
final class EventStream {

  /** Events in a row that a browser may miss before it is cut off. */
  static final int MAX_MISSED = 10;

  private final Context context;
  private final HttpServerResponse response;
  private int missed;

  EventStream(Context context, HttpServerResponse response) {
    this.context = context;
    this.response = response;
  }

  /** Answers with the head of a stream that has no end. */
  void open() {
    response.setChunked(true);
    response.putHeader("Content-Type", "text/event-stream; charset=utf-8");
    response.putHeader("Cache-Control", "no-store");
    response.putHeader("X-Content-Type-Options", "nosniff");
    // Compression and proxies would hold events back until a block is full.
    response.putHeader("Content-Encoding", "identity");
    response.putHeader("X-Accel-Buffering", "no");
    response.writeHead();
  }

  /** Sends an event, unless the browser is behind. */
  void send(Buffer event) {
    context.runOnContext(v -> write(event));
  }

  /** Ends the stream; the browser will try to connect again. */
  void end() {
    context.runOnContext(
        v -> {
          if (!response.ended() && !response.closed()) {
            response.end();
          }
        });
  }

  private void write(Buffer event) {
    if (response.ended() || response.closed()) {
      return;
    }
    if (!response.writeQueueFull()) {
      missed = 0;
      response.write(event);
    } else if (++missed >= MAX_MISSED) {
      response.reset();
    }
  }

  static Buffer event(String name, String json) {
    return Buffer.buffer("event: " + name + "\ndata: " + json + "\n\n");
  }
}
