package dev.conveyor.verticles.chaos;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.util.HashMap;
import java.util.Map;

/**
 * When which model may be away, because a fault has cost it an instance: only requests that were
 * under way at such a time may be told to come again. Times are {@link System#nanoTime}.
 *
 * <p>Thread-safe.
 */
final class Outages {

  private static final class Outage {
    int open;
    boolean anyOver;
    long lastOverNs;
  }

  @GuardedBy("this")
  private final Map<String, Outage> outages = new HashMap<>();

  /** A fault is about to cost the model an instance. */
  synchronized void begin(String model) {
    outages.computeIfAbsent(model, m -> new Outage()).open++;
  }

  /** The model answers again. */
  synchronized void end(String model, long nowNs) {
    Outage outage = outages.computeIfAbsent(model, m -> new Outage());
    outage.open--;
    outage.anyOver = true;
    outage.lastOverNs = nowNs;
  }

  /** Returns whether the model may have been away between then and now. */
  synchronized boolean covers(String model, long sentNs) {
    Outage outage = outages.get(model);
    return outage != null
        && (outage.open > 0 || (outage.anyOver && outage.lastOverNs - sentNs >= 0));
  }
}
