package dev.conveyor.models.process;

import dev.conveyor.models.config.ProcessIsolation;

/**
 * What one worker may use.
 *
 * @param memoryBytes memory it may hold, private and shared, and private memory it may ask for; 0
 *     for no limit
 * @param openFiles file descriptors; 0 for no limit
 * @param cpuSet cores as {@code taskset} takes them, {@code 0,2-3}; empty for all
 * @param visibleDevice the GPU that it may see, as CUDA_VISIBLE_DEVICES names it; empty for none
 * @param heartbeatTimeoutMs how long it may show no sign of life before it is killed
 */
public record ProcessLimits(
    long memoryBytes, int openFiles, String cpuSet, String visibleDevice, long heartbeatTimeoutMs) {

  public static final ProcessLimits NONE = of(ProcessIsolation.DEFAULT, "");

  /** Returns the same for a worker that may show no sign of life for longer. */
  ProcessLimits withHeartbeatTimeoutMs(long timeoutMs) {
    return new ProcessLimits(memoryBytes, openFiles, cpuSet, visibleDevice, timeoutMs);
  }

  public static ProcessLimits of(ProcessIsolation config, String visibleDevice) {
    return new ProcessLimits(
        config.maxMemoryBytes(),
        config.maxOpenFiles(),
        config.cpuSet(),
        visibleDevice,
        config.heartbeatTimeout().toMillis());
  }
}
