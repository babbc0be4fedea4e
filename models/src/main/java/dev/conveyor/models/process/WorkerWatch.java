package dev.conveyor.models.process;

import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Judges one worker by what it looks like, look after look.
 *
 * <p>Not thread-safe: owned by the monitor.
 */
final class WorkerWatch {

  /** A JVM that has not begun to count after this long does not start. */
  private static final long START_LIMIT_MS = 60_000;

  private final ProcessLimits limits;
  private final long periodMs;
  private final long pid;
  private final long loadLimitMs;
  private long beats;
  private long silentLooks;
  private long loading;
  private long loadingLooks;

  /**
   * Creates the watch of one worker.
   *
   * @param loadLimitMs longest that it may take to load its model, and to prepare its executor
   */
  WorkerWatch(ProcessLimits limits, long periodMs, long pid, long loadLimitMs) {
    this.limits = limits;
    this.periodMs = periodMs;
    this.pid = pid;
    this.loadLimitMs = loadLimitMs;
  }

  /**
   * Takes one look.
   *
   * @param beatsNow how far the worker has counted; 0 until it runs
   * @param heldBytes asked only if there is a limit, because the system takes long to answer
   * @param loadingNow number of the step of its load that it is at; 0 if it is at none
   * @return why it must go, or null
   */
  @Nullable Loss look(long beatsNow, LongSupplier heldBytes, long loadingNow) {
    silentLooks = beatsNow == beats ? silentLooks + 1 : 0;
    beats = beatsNow;
    long silentMs = silentLooks * periodMs;
    long limitMs = beats == 0 ? START_LIMIT_MS : limits.heartbeatTimeoutMs();
    if (silentMs >= limitMs) {
      return new Loss(
          Loss.Cause.NO_HEARTBEAT,
          "worker process %d gave no sign of life for %d ms".formatted(pid, silentMs));
    }
    loadingLooks = loadingNow != 0 && loadingNow == loading ? loadingLooks + 1 : 0;
    loading = loadingNow;
    if (loadingLooks * periodMs >= loadLimitMs) {
      return new Loss(
          Loss.Cause.LOAD_TIMEOUT,
          "worker process %d did not load its model within %d ms (limits.load_timeout_ms)"
              .formatted(pid, loadLimitMs));
    }
    long held = limits.memoryBytes() == 0 ? 0 : heldBytes.getAsLong();
    if (held > limits.memoryBytes()) {
      return new Loss(
          Loss.Cause.OVER_MEMORY,
          "worker process %d holds %d bytes of memory, allowed are %d"
              .formatted(pid, held, limits.memoryBytes()));
    }
    return null;
  }
}
