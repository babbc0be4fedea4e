package dev.conveyor.verticles.metrics;

import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import java.util.stream.Stream;

/**
 * What the operating system says about the machine's memory and about this process; empty where it
 * does not.
 *
 * <p>Thread-safe. Reads small files below {@code /proc}: not for event loops.
 */
public final class HostFigures {

  private final Path proc;

  public HostFigures() {
    this(Path.of("/proc"));
  }

  HostFigures(Path proc) {
    this.proc = proc;
  }

  OptionalLong memoryTotalBytes() {
    return kibibytes("meminfo", "MemTotal:");
  }

  /** Returns what is neither free nor reclaimable, as Triton counts it. */
  OptionalLong memoryUsedBytes() {
    OptionalLong total = memoryTotalBytes();
    OptionalLong available = kibibytes("meminfo", "MemAvailable:");
    return total.isPresent() && available.isPresent()
        ? OptionalLong.of(total.getAsLong() - available.getAsLong())
        : OptionalLong.empty();
  }

  OptionalDouble processCpuSeconds() {
    long ns =
        ManagementFactory.getOperatingSystemMXBean() instanceof OperatingSystemMXBean os
            ? os.getProcessCpuTime()
            : -1;
    return ns >= 0 ? OptionalDouble.of(ns / 1e9) : OptionalDouble.empty();
  }

  OptionalLong residentBytes() {
    return kibibytes("self/status", "VmRSS:");
  }

  private OptionalLong kibibytes(String file, String key) {
    try (Stream<String> lines = Files.lines(proc.resolve(file))) {
      return lines
          .filter(line -> line.startsWith(key))
          .mapToLong(line -> 1024 * Long.parseLong(line.replaceAll("\\D", "")))
          .findFirst();
    } catch (IOException | RuntimeException e) {
      return OptionalLong.empty();
    }
  }
}
