package dev.conveyor.models.onnx;

import dev.conveyor.memory.cuda.Cuda;

/**
 * Lets a session compute for one instance, on the stream that the session was opened with: events
 * on the device put that between what the instance's own stream did before and does next.
 *
 * <p>Not thread-safe: owned by an engine. Instances take turns at the session, for the time that it
 * takes to enqueue.
 */
final class SessionTurn implements AutoCloseable {

  private final Cuda cuda;
  private final Object session;
  private final long sessionStream;
  private final long before;
  private final long after;

  /**
   * Creates its events.
   *
   * @param session that is locked while an instance enqueues
   */
  SessionTurn(Cuda cuda, Object session, long sessionStream) {
    this.cuda = cuda;
    this.session = session;
    this.sessionStream = sessionStream;
    this.before = cuda.newEvent();
    this.after = cuda.newEvent();
  }

  /**
   * Has {@code run} enqueue on the session's stream. Also if it fails: what it enqueued until then
   * is waited for by {@code stream}, so that nobody frees what it reads and writes.
   */
  void take(long stream, Runnable run) {
    synchronized (session) {
      cuda.record(before, stream);
      cuda.waitFor(before, sessionStream);
      try {
        run.run();
      } finally {
        cuda.record(after, sessionStream);
        cuda.waitFor(after, stream);
      }
    }
  }

  @Override
  public void close() {
    cuda.destroyEvent(before);
    cuda.destroyEvent(after);
  }
}
