package dev.conveyor.models.process;

import dev.conveyor.models.backend.Backend;

/**
 * What a worker is started with, but for its model: of two with equal ones either can load what the
 * other was to load.
 *
 * @param backend what it loads models on the CPU with; has a public constructor without parameters
 * @param limits which the system holds it to from its first instruction on
 * @param lanes batches that it runs at once
 */
record WorkerSpec(Class<? extends Backend> backend, ProcessLimits limits, int lanes) {}
