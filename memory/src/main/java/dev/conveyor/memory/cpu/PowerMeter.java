package dev.conveyor.memory.cpu;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalDouble;
import java.util.OptionalLong;

/**
 * What the CPU's packages draw, by their counters of energy in {@code class/powercap} (Linux,
 * Documentation/power/powercap: RAPL of Intel and AMD), which most systems let only root read.
 *
 * <p>Not thread-safe: owned by the thread of {@link CpuWatch}. Reads no clock, but files.
 */
final class PowerMeter {

  /**
   * The counter of one package.
   *
   * @param rangeMicrojoules after which it begins again; 0 if that is not known
   */
  private record Counter(Path file, long rangeMicrojoules) {}

  private final List<Counter> counters;
  private List<Long> before = List.of();
  private long beforeNs;

  /**
   * Looks for the counters.
   *
   * @param sys {@code /sys}, or what stands for it
   */
  PowerMeter(Path sys) {
    // Not "intel-rapl-mmio:0", which is the same package again, nor its parts "intel-rapl:0:0".
    counters =
        SysFiles.list(sys.resolve("class/powercap"), "intel-rapl:\\d+").stream()
            .filter(zone -> SysFiles.text(zone.resolve("name")).startsWith("package"))
            .map(
                zone ->
                    new Counter(
                        zone.resolve("energy_uj"),
                        SysFiles.number(zone.resolve("max_energy_range_uj")).orElse(0)))
            .toList();
  }

  /**
   * Returns the mean since the call before; empty at the first, and if a package cannot be read,
   * because a sum that lacks one would be wrong.
   *
   * @param nowNs only differences count
   */
  OptionalDouble watts(long nowNs) {
    List<Long> now = new ArrayList<>();
    counters.forEach(counter -> SysFiles.number(counter.file).ifPresent(now::add));
    boolean isWhole = !counters.isEmpty() && now.size() == counters.size();
    long elapsedNs = nowNs - beforeNs;
    OptionalLong spent =
        isWhole && before.size() == now.size() && elapsedNs > 0
            ? spentMicrojoules(now)
            : OptionalLong.empty();
    before = isWhole ? now : List.of();
    beforeNs = nowNs;
    return spent.isPresent()
        ? OptionalDouble.of(spent.getAsLong() * 1e3 / elapsedNs)
        : OptionalDouble.empty();
  }

  private OptionalLong spentMicrojoules(List<Long> now) {
    long spent = 0;
    for (int i = 0; i < counters.size(); i++) {
      long more = now.get(i) - before.get(i);
      if (more < 0) {
        more += counters.get(i).rangeMicrojoules;
      }
      if (more < 0) {
        return OptionalLong.empty();
      }
      spent += more;
    }
    return OptionalLong.of(spent);
  }
}
