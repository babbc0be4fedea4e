package dev.conveyor.memory.cuda;

import java.util.OptionalDouble;
import java.util.OptionalLong;

/**
 * How a GPU is at one moment, as NVML tells; what it does not tell is empty. Of a MIG slice, power,
 * energy and temperature are those of the whole board, and utilisation is not known.
 *
 * @param utilization share of time in which a kernel ran, lately; 0 to 1
 * @param energyJoules since the driver was loaded
 */
public record GpuFigures(
    OptionalDouble utilization,
    OptionalLong memoryTotalBytes,
    OptionalLong memoryUsedBytes,
    OptionalDouble powerWatts,
    OptionalDouble powerLimitWatts,
    OptionalDouble energyJoules,
    OptionalLong temperatureCelsius) {}
