package dev.conveyor.verticles.grpc;

import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.HeapShare;
import dev.conveyor.models.InferenceException;
import dev.conveyor.verticles.BodyWatch;
import io.vertx.core.Handler;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.HttpServerResponse;
import io.vertx.core.http.StreamResetException;
import io.vertx.core.internal.http.HttpServerRequestInternal;
import io.vertx.core.internal.http.HttpServerRequestWrapper;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * A call whose messages must not stall: each has a time from its first byte to its last, not
 * counting the time in which the server does not read. Between messages a call may rest.
 *
 * <p>Not thread-safe: owned by the event loop of its connection. A message that is complete within
 * one read costs no entry in the watch.
 */
final class TimedRequest extends HttpServerRequestWrapper {

  /** HTTP/2's error code of a stream that is not wanted any more. */
  private static final long CANCEL = 8;

  private final BodyWatch watch;
  private final MessageFraming framing = new MessageFraming();
  private BodyWatch.@Nullable Entry patience;
  private @Nullable Runnable whenStalled;
  private @Nullable Handler<Throwable> whenLost;
  private @Nullable MessageMemory memory;
  private boolean reading = true;
  private boolean over;

  TimedRequest(HttpServerRequestInternal request, BodyWatch watch) {
    super(request);
    this.watch = watch;
  }

  /** Sets who ends the call whose message stalls; without anybody its stream is reset. */
  void whenStalled(Runnable action) {
    whenStalled = action;
  }

  /**
   * Has its messages count as memory of requests while they arrive, and wait while that is short.
   *
   * @param whenFull told if a message cannot be held; the call ends then
   */
  void countIn(
      Vertx vertx, BufferPool pool, WaitingCalls calls, Consumer<InferenceException> whenFull) {
    memory = new MessageMemory(vertx, pool, calls, connection(), whenFull, this::readOn);
  }

  /** Returns what a message counts for that has just been taken; null if that is nothing yet. */
  @Nullable HeapShare takeMemory() {
    return memory == null ? null : memory.take();
  }

  /** The call takes no more messages: what still comes of them is dropped. */
  void close() {
    endWatch();
    if (memory != null) {
      boolean waited = memory.isWaiting();
      memory.close();
      if (waited && !delegate.isEnded()) {
        // What nobody reads would keep the other calls of the connection waiting.
        delegate.resume();
      }
    }
  }

  private void readOn() {
    if ((reading || over) && !delegate.isEnded()) {
      await(framing.isMidMessage() && !over);
      delegate.resume();
    }
  }

  /** The call is over, or takes no more messages. */
  void endWatch() {
    over = true;
    await(false);
  }

  @Override
  public HttpServerRequest handler(@Nullable Handler<Buffer> handler) {
    delegate.handler(handler == null ? null : bytes -> take(bytes, handler));
    return this;
  }

  @Override
  public HttpServerRequest endHandler(@Nullable Handler<Void> handler) {
    delegate.endHandler(
        handler == null
            ? null
            : end -> {
              endWatch();
              handler.handle(null);
            });
    return this;
  }

  @Override
  public HttpServerRequest exceptionHandler(@Nullable Handler<Throwable> handler) {
    whenLost = handler;
    delegate.exceptionHandler(this::lost);
    return this;
  }

  @Override
  public HttpServerRequest pause() {
    reading = false;
    await(false); // not the client is slow
    delegate.pause();
    return this;
  }

  @Override
  public HttpServerRequest resume() {
    return fetch(Long.MAX_VALUE);
  }

  @Override
  public HttpServerRequest fetch(long amount) {
    reading = true;
    if (memory != null && memory.isWaiting()) {
      return this;
    }
    await(framing.isMidMessage() && !over);
    delegate.fetch(amount);
    return this;
  }

  private void take(Buffer bytes, Handler<Buffer> handler) {
    if (framing.accept(bytes)) {
      await(false); // for that message; the next may have begun behind it
      if (memory != null) {
        memory.completed();
      }
    }
    if (memory != null && !over) {
      memory.progress(framing);
    }
    boolean waiting = memory != null && memory.isWaiting();
    if (waiting) {
      delegate.pause();
    }
    if (memory == null || !over) {
      handler.handle(bytes);
    }
    await(framing.isMidMessage() && reading && !waiting && !over);
  }

  private void await(boolean wanted) {
    if (wanted && patience == null) {
      patience = watch.begin(this::stalled);
    } else if (!wanted && patience != null) {
      watch.end(patience);
      patience = null;
    }
  }

  private void stalled() {
    patience = null;
    if (whenStalled != null) {
      whenStalled.run();
    } else {
      lost(new StreamResetException(CANCEL));
      HttpServerResponse response = response();
      response.reset(CANCEL);
    }
  }

  private void lost(Throwable why) {
    endWatch();
    if (whenLost != null) {
      whenLost.handle(why);
    }
  }
}
