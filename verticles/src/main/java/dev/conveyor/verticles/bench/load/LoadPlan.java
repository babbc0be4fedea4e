package dev.conveyor.verticles.bench.load;

import java.time.Duration;

/**
 * One point of a sweep, to be run.
 *
 * @param warmup load before the window, not counted
 * @param duration length of the window
 * @param serverCpu read at both ends of the window
 * @param clientCpu read at both ends of the window
 * @param seed of the arrival times
 */
public record LoadPlan(
    LoadPattern pattern,
    Duration warmup,
    Duration duration,
    CpuClock serverCpu,
    CpuClock clientCpu,
    long seed) {}
