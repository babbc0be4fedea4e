package dev.conveyor.memory.cpu;

import java.nio.file.Path;
import java.util.List;
import java.util.OptionalLong;
import java.util.Set;
import java.util.stream.Stream;

/**
 * The files with the temperatures of CPUs, in thousandths of a degree Celsius. Immutable;
 * thread-safe. Reads files: not for event loops.
 *
 * <p>Looked for in {@code class/hwmon} first (Linux, Documentation/hwmon: coretemp, k10temp), then
 * in {@code class/thermal}. A package is asked rather than its cores, each of which would be woken;
 * and {@code Tdie} rather than {@code Tctl}, which on some Ryzens is up to 27 degrees more, for the
 * fan.
 */
record CpuThermometers(List<Path> files) {

  private static final Set<String> CHIPS =
      Set.of("coretemp", "k10temp", "zenpower", "cpu_thermal", "cpu-thermal");

  CpuThermometers {
    files = List.copyOf(files);
  }

  /**
   * Looks for them.
   *
   * @param sys {@code /sys}, or what stands for it
   */
  static CpuThermometers find(Path sys) {
    List<Path> chips =
        SysFiles.list(sys.resolve("class/hwmon"), "hwmon\\d+").stream()
            .filter(chip -> CHIPS.contains(SysFiles.text(chip.resolve("name"))))
            .flatMap(CpuThermometers::sensors)
            .toList();
    return new CpuThermometers(
        !chips.isEmpty()
            ? chips
            : SysFiles.list(sys.resolve("class/thermal"), "thermal_zone\\d+").stream()
                .filter(zone -> isCpu(SysFiles.text(zone.resolve("type"))))
                .map(zone -> zone.resolve("temp"))
                .toList());
  }

  private static Stream<Path> sensors(Path chip) {
    List<Path> all = SysFiles.list(chip, "temp\\d+_input");
    List<Path> best = all.stream().filter(input -> isOfPackage(label(input))).toList();
    return (best.isEmpty() ? all : best).stream();
  }

  private static String label(Path input) {
    return SysFiles.text(
        input.resolveSibling(String.valueOf(input.getFileName()).replace("_input", "_label")));
  }

  private static boolean isOfPackage(String label) {
    return label.startsWith("Package id ") || label.equals("Tdie");
  }

  private static boolean isCpu(String zone) {
    return zone.equals("x86_pkg_temp") || zone.startsWith("cpu");
  }

  /** Returns the highest of those that can be read now. */
  OptionalLong celsius() {
    return files.stream()
        .map(SysFiles::number)
        .flatMapToLong(OptionalLong::stream)
        .map(milli -> Math.round(milli / 1000.0))
        .max();
  }
}
