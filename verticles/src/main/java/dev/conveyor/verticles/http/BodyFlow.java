package dev.conveyor.verticles.http;

import dev.conveyor.memory.PoolShare;
import io.netty.buffer.ByteBuf;
import io.vertx.core.Context;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpServerRequest;
import java.util.ArrayDeque;
import java.util.Deque;
import org.jspecify.annotations.Nullable;

/**
 * When the bytes of one body are read off its connection.
 *
 * <p>Thread-confined: the event loop of its connection; only the waking of those who wait for
 * memory comes from other threads, and is passed on.
 *
 * <p>What one read of the connection had taken in before the flow was stopped is kept here, at most
 * a few hundred kilobytes per connection.
 */
final class BodyFlow implements InflateStage.Flow {

  /** Bodies below this never wait: they are worth less than the waiting. */
  private static final int WAITS_FROM_BYTES = 16 * 1024;

  private final HttpServerRequest request;
  private final PoolShare share;
  private final Context context;
  private final Deque<ByteBuf> kept = new ArrayDeque<>();
  private boolean tapped;
  private boolean waiting;
  private boolean paused;
  private boolean inputEnded;
  private boolean abandoned;
  private @Nullable Runnable leaveQueue;

  BodyFlow(Vertx vertx, HttpServerRequest request, PoolShare share) {
    this.context = vertx.getOrCreateContext();
    this.request = request;
    this.share = share;
  }

  /** Lets the body flow into {@code sink} as soon as there is memory for it. */
  void begin(BodyTap.Sink sink, Runnable end, RequestTerms terms) {
    tapped = BodyTap.open(request.connection(), part -> take(part, sink));
    if (!tapped) {
      request.handler(chunk -> take(Chunks.bytes(chunk), sink));
    }
    request.endHandler(
        v -> {
          if (waiting) {
            inputEnded = true;
          } else if (!abandoned) {
            end.run();
          }
        });
    boolean large = terms.bytes() < 0 || terms.bytes() >= WAITS_FROM_BYTES;
    if (large) {
      long bytes = Math.max(terms.bytes(), WAITS_FROM_BYTES);
      leaveQueue = share.awaitRoom(bytes, () -> context.runOnContext(v -> go(sink, end, terms)));
      waiting = leaveQueue != null;
    }
    if (waiting) {
      pause();
    } else if (terms.waitsForContinue()) {
      request.response().writeContinue();
    }
  }

  /** Nobody wants the rest; what comes is dropped. */
  void abandon() {
    abandoned = true;
    kept.forEach(ByteBuf::release);
    kept.clear();
    if (waiting) {
      waiting = false;
      if (leaveQueue != null) {
        leaveQueue.run();
      }
    }
    resume(); // Whoever gave up: a connection that is left unread never gets another request.
  }

  private void take(ByteBuf part, BodyTap.Sink sink) {
    if (waiting) {
      kept.add(part.retainedSlice());
    } else if (!abandoned) {
      sink.accept(part);
    }
  }

  private void go(BodyTap.Sink sink, Runnable end, RequestTerms terms) {
    if (abandoned) {
      share.wakeWaiters(); // somebody else can have the room
      return;
    }
    waiting = false;
    leaveQueue = null;
    if (terms.waitsForContinue()) {
      request.response().writeContinue();
    }
    try {
      while (!kept.isEmpty()) {
        ByteBuf part = kept.remove();
        try {
          sink.accept(part);
        } finally {
          part.release();
        }
      }
    } finally {
      resume();
    }
    if (inputEnded && !abandoned) {
      end.run();
    }
  }

  @Override
  public void pause() {
    paused = true;
    if (tapped) {
      BodyTap.setReading(request.connection(), false);
    } else {
      request.pause();
    }
  }

  @Override
  public void resume() {
    if (!paused) {
      return;
    }
    paused = false;
    if (tapped) {
      BodyTap.setReading(request.connection(), true);
    } else {
      request.resume();
    }
  }

  @Override
  public void later(Runnable task) {
    context.runOnContext(v -> task.run());
  }
}
