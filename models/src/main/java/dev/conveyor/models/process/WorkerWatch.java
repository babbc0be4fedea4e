package dev.conveyor.models.process;

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
  private long beats;
  private long silentLooks;

  WorkerWatch(ProcessLimits limits, long periodMs, long pid) {
    this.limits = limits;
    this.periodMs = periodMs;
    this.pid = pid;
  }

  /**
   * Takes one look.
   *
   * @param beatsNow how far the worker has counted; 0 until it runs
   * @return why it must go, or null
   */
  @Nullable Loss look(long beatsNow, long residentBytes) {
    silentLooks = beatsNow == beats ? silentLooks + 1 : 0;
    beats = beatsNow;
    long silentMs = silentLooks * periodMs;
    long limitMs = beats == 0 ? START_LIMIT_MS : limits.heartbeatTimeoutMs();
    if (silentMs >= limitMs) {
      return new Loss(
          Loss.Cause.NO_HEARTBEAT,
          "worker process %d gave no sign of life for %d ms".formatted(pid, silentMs));
    }
    if (limits.memoryBytes() > 0 && residentBytes > limits.memoryBytes()) {
      return new Loss(
          Loss.Cause.OVER_MEMORY,
          "worker process %d holds %d bytes of memory, allowed are %d"
              .formatted(pid, residentBytes, limits.memoryBytes()));
    }
    return null;
  }
}
