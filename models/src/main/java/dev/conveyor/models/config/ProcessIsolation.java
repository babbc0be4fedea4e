package dev.conveyor.models.config;

import java.time.Duration;
import java.util.regex.Pattern;

/**
 * What each worker process of a model may use: the block {@code conveyor.process}.
 *
 * @param maxMemoryBytes resident memory and private memory; 0 for no limit
 * @param maxOpenFiles file descriptors; 0 for no limit
 * @param cpuSet cores, as a list of numbers and ranges such as {@code 0,2-3}; empty for all
 * @param heartbeatTimeout how long it may show no sign of life before it is killed
 */
public record ProcessIsolation(
    long maxMemoryBytes, int maxOpenFiles, String cpuSet, Duration heartbeatTimeout) {

  /** A Java virtual machine does not start with less. */
  static final long LEAST_MEMORY_BYTES = 256L << 20;

  /** Nor with fewer: its libraries and jars are open files. */
  static final int FEWEST_OPEN_FILES = 128;

  static final Duration SHORTEST_HEARTBEAT = Duration.ofMillis(500);

  private static final Pattern CPU_SET = Pattern.compile("|\\d+(-\\d+)?(,\\d+(-\\d+)?)*");

  public static final ProcessIsolation DEFAULT =
      new ProcessIsolation(0, 0, "", Duration.ofSeconds(2));

  public ProcessIsolation {
    if (maxMemoryBytes != 0 && maxMemoryBytes < LEAST_MEMORY_BYTES) {
      throw new ConfigException(
          "max_memory_bytes", "0 or at least " + LEAST_MEMORY_BYTES, maxMemoryBytes);
    }
    if (maxOpenFiles != 0 && maxOpenFiles < FEWEST_OPEN_FILES) {
      throw new ConfigException(
          "max_open_files", "0 or at least " + FEWEST_OPEN_FILES, maxOpenFiles);
    }
    if (!CPU_SET.matcher(cpuSet).matches()) {
      throw new ConfigException("cpu_set", "cores such as 0,2-3", "\"" + cpuSet + "\"");
    }
    if (heartbeatTimeout.compareTo(SHORTEST_HEARTBEAT) < 0) {
      throw new ConfigException(
          "heartbeat_timeout_ms",
          "at least " + SHORTEST_HEARTBEAT.toMillis(),
          heartbeatTimeout.toMillis());
    }
  }
}
