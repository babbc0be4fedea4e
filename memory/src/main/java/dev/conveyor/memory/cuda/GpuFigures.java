package dev.conveyor.memory.cuda;

import java.util.OptionalDouble;
import java.util.OptionalLong;

/**
 * How a GPU is at one moment, as NVML tells; what it does not tell is empty. Of a MIG slice, power,
 * energy and temperature are those of the whole board, and utilisation and activity are not known.
 *
 * @param utilization share of time in which a kernel ran, lately; 0 to 1
 * @param smActivity mean share of the multiprocessors that were busy since the look before this
 *     one; 0 to 1
 * @param smOccupancy mean share of the warps that they have room for which were under way, since
 *     then; 0 to 1
 * @param energyJoules since the driver was loaded
 */
public record GpuFigures(
    OptionalDouble utilization,
    OptionalDouble smActivity,
    OptionalDouble smOccupancy,
    OptionalLong memoryTotalBytes,
    OptionalLong memoryUsedBytes,
    OptionalDouble powerWatts,
    OptionalDouble powerLimitWatts,
    OptionalDouble energyJoules,
    OptionalLong temperatureCelsius) {}
