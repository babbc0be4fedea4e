package dev.conveyor.verticles.page;

import io.vertx.core.Context;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpServerResponse;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * One browser's stream of events.
 *
 * <p>Thread-safe once it is open: what is called after that moves to the event loop of the
 * connection by itself. A browser that does not read misses events rather than fill memory, and is
 * given up if it does not recover.
 */
final class EventStream {

  /** Events in a row that a browser may miss before it is given up. */
  static final int MAX_MISSED = 10;

  private final Context context;
  private final HttpServerResponse response;
  private int missed;
  private final AtomicBoolean gone = new AtomicBoolean();
  private Runnable onGone = () -> {};

  EventStream(Context context, HttpServerResponse response) {
    this.context = context;
    this.response = response;
  }

  /** Has {@code action} called, once, when nothing will be read from it any more. */
  void onGone(Runnable action) {
    onGone = action;
    response.closeHandler(v -> leave());
    response.endHandler(v -> leave());
    response.exceptionHandler(e -> leave());
  }

  boolean isGone() {
    return gone.get();
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
    } else if (++missed == MAX_MISSED) {
      // Over HTTP/1 this closes the connection only once the other side takes what was written, if
      // ever, so do not wait for it.
      response.reset();
      leave();
    }
  }

  private void leave() {
    if (gone.compareAndSet(false, true)) {
      onGone.run();
    }
  }

  static Buffer event(String name, String json) {
    return Buffer.buffer("event: " + name + "\ndata: " + json + "\n\n");
  }
}
