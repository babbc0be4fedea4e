package dev.conveyor.verticles.ensemble;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.conveyor.scheduler.ReplyTo;
import java.util.ArrayDeque;
import java.util.Deque;
import org.jspecify.annotations.Nullable;

/**
 * How many requests of an ensemble one of its steps has under way; others wait in the order they
 * came. Thread-safe: requests live on several event loops.
 */
public final class StepLimit {

  /** Requests that wait for one step. */
  static final int MAX_WAITING = 2048 * Items.WINDOW;

  /** What became of a request that wants in. */
  enum Entry {
    RUNS,
    WAITS,
    FULL
  }

  private record Waiting(ReplyTo reply, Runnable go) {}

  private final int limit;

  @GuardedBy("this")
  private final Deque<Waiting> waiting = new ArrayDeque<>();

  @GuardedBy("this")
  private int underWay;

  StepLimit(int limit) {
    this.limit = limit;
  }

  /**
   * Lets a request in, now or later.
   *
   * @param go called later, on the context of the request, if it has to wait; it may be over then
   */
  synchronized Entry enter(ReplyTo reply, Runnable go) {
    if (limit == 0) {
      return Entry.RUNS;
    }
    if (underWay < limit) {
      underWay++;
      return Entry.RUNS;
    }
    if (waiting.size() >= MAX_WAITING) {
      return Entry.FULL;
    }
    waiting.add(new Waiting(reply, go));
    return Entry.WAITS;
  }

  /** Returns whether a request that comes now need not wait. */
  public boolean isFree() {
    if (limit == 0) {
      return true;
    }
    synchronized (this) {
      return underWay < limit;
    }
  }

  /** Whoever was let in leaves once. */
  void leave() {
    if (limit == 0) {
      return;
    }
    Waiting next = next();
    if (next != null) {
      Runnable go = next.go();
      next.reply().context().runOnContext(v -> go.run());
    }
  }

  private synchronized @Nullable Waiting next() {
    Waiting next = waiting.poll();
    while (next != null && next.reply().isDone()) {
      next = waiting.poll();
    }
    if (next == null) {
      underWay--;
    }
    return next;
  }
}
