package dev.conveyor.verticles;

import dev.conveyor.scheduler.NanoClock;
import dev.conveyor.verticles.isolation.IsolationJournal;
import io.vertx.core.Vertx;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Bodies that are still to come, the oldest first, and an end to the patience with each.
 *
 * <p>Thread-confined: one event loop. A chain of entries that leave it themselves, because almost
 * every body is there within the turn that began it, and a timer each would cost more than reading
 * it does. There is one timer, and only while anything is in the chain.
 */
public final class BodyWatch {

  /** A body to come. */
  public static final class Entry {
    private final Runnable tooLate;
    private final long dueNs;
    private @Nullable Entry before;
    private @Nullable Entry after;
    private boolean linked;

    private Entry(Runnable tooLate, long dueNs) {
      this.tooLate = tooLate;
      this.dueNs = dueNs;
    }
  }

  private final Vertx vertx;
  private final String what;
  private final NanoClock clock;
  private final long timeoutMs;
  private final long sweepMs;
  private @Nullable Entry first;
  private @Nullable Entry last;
  private boolean armed;

  /**
   * Creates a watch.
   *
   * @param what is to come, in one word, for those who are told of clients that are too slow
   */
  public BodyWatch(Vertx vertx, NanoClock clock, long timeoutMs, String what) {
    this.what = what;
    this.vertx = vertx;
    this.clock = clock;
    this.timeoutMs = timeoutMs;
    this.sweepMs = Math.max(1, Math.min(1000, timeoutMs / 4));
  }

  public long timeoutMs() {
    return timeoutMs;
  }

  /** Begins to wait; {@code tooLate} is called once, unless {@link #end} is called before. */
  public Entry begin(Runnable tooLate) {
    Entry entry = new Entry(tooLate, clock.nanoTime() + TimeUnit.MILLISECONDS.toNanos(timeoutMs));
    entry.linked = true;
    entry.before = last;
    if (last == null) {
      first = entry;
    } else {
      last.after = entry;
    }
    last = entry;
    arm();
    return entry;
  }

  /** Ends the wait. Does nothing the second time. */
  public void end(Entry entry) {
    if (!entry.linked) {
      return;
    }
    entry.linked = false;
    if (entry.before == null) {
      first = entry.after;
    } else {
      entry.before.after = entry.after;
    }
    if (entry.after == null) {
      last = entry.before;
    } else {
      entry.after.before = entry.before;
    }
    entry.before = null;
    entry.after = null;
  }

  private void arm() {
    if (!armed) {
      armed = true;
      vertx.setTimer(sweepMs, id -> sweep());
    }
  }

  private void sweep() {
    armed = false;
    long nowNs = clock.nanoTime();
    for (Entry oldest = first; oldest != null && nowNs - oldest.dueNs >= 0; oldest = first) {
      end(oldest);
      oldest.tooLate.run();
      IsolationJournal.tell(vertx.eventBus(), what);
    }
    if (first != null) {
      arm();
    }
  }
}
