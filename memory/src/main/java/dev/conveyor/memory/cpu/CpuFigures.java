package dev.conveyor.memory.cpu;

import java.util.OptionalDouble;
import java.util.OptionalLong;

/**
 * How the CPU is at one moment; what the system does not tell is empty.
 *
 * @param utilization share of all cores' time that was used since the look before; 0 to 1
 * @param temperatureCelsius of the hottest package, or of the hottest core where packages have none
 * @param powerWatts of all packages, cores and caches without the memory: the mean since the look
 *     before
 */
public record CpuFigures(
    OptionalDouble utilization, OptionalLong temperatureCelsius, OptionalDouble powerWatts) {

  public static final CpuFigures NONE =
      new CpuFigures(OptionalDouble.empty(), OptionalLong.empty(), OptionalDouble.empty());
}
