package dev.conveyor.verticles;

import dev.conveyor.models.config.ServerConfig;
import java.lang.management.ManagementFactory;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * What this machine has, and how much of it the server may use.
 *
 * @param cores that executions may keep busy
 * @param memoryBudgetBytes that all models together may hold
 */
public record Machine(int cores, long memoryBudgetBytes) {

  /** Of the memory that is there, what models may have if nobody says otherwise. */
  private static final double DEFAULT_SHARE = 0.7;

  /** Finds out, with the configuration having the last word. */
  public static Machine find(ServerConfig.Cpu configured) {
    int cores = Runtime.getRuntime().availableProcessors();
    long budget = configured.memoryBudgetBytes();
    return new Machine(
        configured.cores() > 0 ? configured.cores() : cores,
        budget > 0 ? budget : (long) (totalMemoryBytes() * DEFAULT_SHARE));
  }

  /** Returns how many models may load at the same time. */
  int loaders() {
    return Math.max(1, Math.min(4, cores));
  }

  /**
   * Returns how many event loops a server should have: on few cores one, because a second only
   * takes time from the computation and adds a thread to wake.
   */
  public static int eventLoops() {
    return Math.max(1, Runtime.getRuntime().availableProcessors() / 8);
  }

  @Override
  public String toString() {
    return String.format(
        Locale.ROOT, "CPU: %d cores, %.1f GiB for models", cores, memoryBudgetBytes / 0x1p30);
  }

  private static long totalMemoryBytes() {
    @Nullable Object bean = ManagementFactory.getOperatingSystemMXBean();
    return bean instanceof com.sun.management.OperatingSystemMXBean os
        ? os.getTotalMemorySize()
        : Runtime.getRuntime().maxMemory();
  }
}
