package dev.conveyor.models.process;

import dev.conveyor.models.config.ProcessIsolation;
import java.util.List;

/**
 * What one worker may use.
 *
 * @param memoryBytes memory it may hold, private and shared, and private memory it may ask for; 0
 *     for no limit
 * @param openFiles file descriptors; 0 for no limit
 * @param cpuSet cores as {@code taskset} takes them, {@code 0,2-3}; empty for all
 * @param visibleDevices indices of the GPUs it may see; empty for none
 * @param heartbeatTimeoutMs how long it may show no sign of life before it is killed
 */
public record ProcessLimits(
    long memoryBytes,
    int openFiles,
    String cpuSet,
    List<Integer> visibleDevices,
    long heartbeatTimeoutMs) {

  public static final ProcessLimits NONE = of(ProcessIsolation.DEFAULT, List.of());

  public ProcessLimits {
    visibleDevices = List.copyOf(visibleDevices);
  }

  public static ProcessLimits of(ProcessIsolation config, List<Integer> visibleDevices) {
    return new ProcessLimits(
        config.maxMemoryBytes(),
        config.maxOpenFiles(),
        config.cpuSet(),
        visibleDevices,
        config.heartbeatTimeout().toMillis());
  }
}
