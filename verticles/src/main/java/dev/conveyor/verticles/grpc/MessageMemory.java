package dev.conveyor.verticles.grpc;

import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.HeapShare;
import dev.conveyor.models.InferenceException;
import io.vertx.core.Context;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpConnection;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * What the messages of one call count for while they arrive, which is on the heap, and when large
 * ones may begin: as bodies over HTTP they wait while the memory of requests is short, and are read
 * to their end once they have begun. Only what has come counts, not what was announced.
 *
 * <p>Not thread-safe: owned by the event loop of the connection. The pool wakes it on another
 * thread, which is passed on.
 */
final class MessageMemory {

  /** Smaller messages count for nothing: streams and queues bound their number. */
  static final int COUNTS_FROM_BYTES = 16 * 1024;

  private final BufferPool pool;
  private final Context context;
  private final WaitingCalls calls;
  private final HttpConnection connection;
  private final Consumer<InferenceException> whenFull;
  private final Runnable whenRoom;
  private final Deque<HeapShare> arrived = new ArrayDeque<>();
  private @Nullable HeapShare arriving;
  private @Nullable Runnable leaveQueue;
  private boolean waiting;
  private boolean over;

  /**
   * Counts nothing yet.
   *
   * @param calls that wait, of all connections
   * @param connection of this call
   * @param whenFull told once, if a message that has begun cannot be held
   * @param whenRoom called when a message that had to wait may be read on, or dropped
   */
  MessageMemory(
      Vertx vertx,
      BufferPool pool,
      WaitingCalls calls,
      HttpConnection connection,
      Consumer<InferenceException> whenFull,
      Runnable whenRoom) {
    this.calls = calls;
    this.connection = connection;
    this.pool = pool;
    this.context = vertx.getOrCreateContext();
    this.whenFull = whenFull;
    this.whenRoom = whenRoom;
  }

  /** A message that was arriving is complete. */
  void completed() {
    if (arriving != null) {
      arrived.add(arriving);
      arriving = null;
    }
  }

  /**
   * Takes note of how far the message at hand has come. {@link #isWaiting} may hold afterwards, or
   * the call be over.
   */
  void progress(MessageFraming framing) {
    if (over || waiting || framing.messageBytes() < COUNTS_FROM_BYTES) {
      return;
    }
    if (arriving == null) {
      leaveQueue =
          pool.awaitRoom(framing.messageBytes(), () -> context.runOnContext(v -> begin(framing)));
      if (leaveQueue != null && !calls.tryEnter(connection)) {
        close();
        whenFull.accept(WaitingCalls.tooMany(framing.messageBytes()));
        return;
      }
      waiting = leaveQueue != null;
    }
    if (!waiting) {
      grow(framing);
    }
  }

  /** Returns whether nothing may be read before there is room. */
  boolean isWaiting() {
    return waiting;
  }

  /** Returns what the message that was completed first counts for; null if it came at once. */
  @Nullable HeapShare take() {
    return arrived.poll();
  }

  /** No more messages are taken; gives back what was not taken. */
  void close() {
    over = true;
    if (leaveQueue != null) {
      leaveQueue.run();
      leaveQueue = null;
    }
    stopWaiting();
    if (arriving != null) {
      arriving.close();
      arriving = null;
    }
    arrived.forEach(HeapShare::close);
    arrived.clear();
  }

  private void stopWaiting() {
    if (waiting) {
      waiting = false;
      calls.leave(connection);
    }
  }

  private void begin(MessageFraming framing) {
    if (over) {
      pool.wakeWaiters(); // somebody else can have the room
      return;
    }
    stopWaiting();
    leaveQueue = null;
    grow(framing);
    whenRoom.run();
  }

  private void grow(MessageFraming framing) {
    if (arriving == null) {
      arriving = pool.heapShare();
    }
    if (!arriving.growTo(framing.receivedBytes())) {
      InferenceException full = InferRoute.noMemory(pool, framing.messageBytes());
      close();
      whenFull.accept(full);
    }
  }
}
