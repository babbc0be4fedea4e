package dev.conveyor.verticles;

import dev.conveyor.scheduler.ReplyTo;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Counts the requests of a model that may be evicted: those under way, which keep it in memory, and
 * those that came since somebody asked, which make it worth keeping. Thread-safe.
 */
public final class ModelUsage {

  private final AtomicInteger underWay = new AtomicInteger();
  private final AtomicLong came = new AtomicLong();

  /** Counts a request from now until its answer. */
  ReplyTo.Handler counting(ReplyTo.Handler handler) {
    came.incrementAndGet();
    underWay.incrementAndGet();
    return (response, failure) -> {
      underWay.decrementAndGet();
      handler.handle(response, failure);
    };
  }

  /** Returns true while a request waits for the model or runs on it. */
  public boolean isBusy() {
    return underWay.get() > 0;
  }

  /** Returns how many requests came since the last call. */
  public long takeRequests() {
    return came.getAndSet(0);
  }
}
