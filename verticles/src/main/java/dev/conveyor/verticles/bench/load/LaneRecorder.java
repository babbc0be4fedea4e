package dev.conveyor.verticles.bench.load;

import java.util.Map;
import java.util.TreeMap;
import org.HdrHistogram.Histogram;

/**
 * What happened to the requests of one model during the measured window.
 *
 * <p>Not thread-safe: owned by the event loop of a {@link LoadRun}. Reads no clock.
 *
 * <p>Throughput counts answers that came within the window. Latency is recorded, in a closed loop,
 * for those same answers; in an open loop for requests that were <em>due</em> within the window,
 * however late their answers are, since leaving out late answers would leave out the worst.
 */
final class LaneRecorder {

  private static final long MAX_LATENCY_NS = 3_600_000_000_000L;
  private static final int MAX_MESSAGE_CHARS = 160;

  private final boolean byDueTime;
  private final Histogram latencyNs = new Histogram(MAX_LATENCY_NS, 3);
  private final Histogram lateNs = new Histogram(MAX_LATENCY_NS, 3);
  private final Histogram failureNs = new Histogram(MAX_LATENCY_NS, 3);
  private final Map<String, Long> errors = new TreeMap<>();
  private boolean opened;
  private boolean closed;
  private long openNs;
  private long closeNs;
  private long answered;

  /** Counts latency by due time (open loop) or by answer time (closed loop). */
  LaneRecorder(boolean byDueTime) {
    this.byDueTime = byDueTime;
  }

  void open(long nowNs) {
    opened = true;
    openNs = nowNs;
  }

  void close(long nowNs) {
    closed = true;
    closeNs = nowNs;
  }

  /** Records that a request due at {@code dueNs} was sent at {@code nowNs}. */
  void sent(long dueNs, long nowNs) {
    if (inWindow(dueNs)) {
      lateNs.recordValue(clamp(nowNs - dueNs));
    }
  }

  void succeeded(long dueNs, long nowNs) {
    if (inWindow(nowNs)) {
      answered++;
    }
    if (inWindow(byDueTime ? dueNs : nowNs)) {
      latencyNs.recordValue(clamp(nowNs - dueNs));
    }
  }

  /** Records that a request failed; {@code sentNs} is {@code nowNs} if it was never sent. */
  void failed(String message, long dueNs, long sentNs, long nowNs) {
    if (inWindow(byDueTime ? dueNs : nowNs)) {
      failureNs.recordValue(clamp(nowNs - sentNs));
      errors.merge(shorten(message), 1L, Long::sum);
    }
  }

  /** Counts requests that were never answered, window or not. */
  void unanswered(String message, long count) {
    if (count > 0) {
      errors.merge(shorten(message), count, Long::sum);
    }
  }

  LaneResult result(String model, int items) {
    return new LaneResult(model, items, answered, Map.copyOf(errors), latencyNs, lateNs, failureNs);
  }

  private boolean inWindow(long timeNs) {
    return opened && timeNs - openNs >= 0 && !(closed && timeNs - closeNs >= 0);
  }

  private static long clamp(long ns) {
    return Math.min(MAX_LATENCY_NS, Math.max(0, ns));
  }

  private static String shorten(String message) {
    int newline = message.indexOf('\n');
    String line = newline < 0 ? message : message.substring(0, newline);
    return line.length() <= MAX_MESSAGE_CHARS ? line : line.substring(0, MAX_MESSAGE_CHARS) + "…";
  }
}
