package dev.conveyor.models.device;

import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.DevicePool;

/**
 * Where an engine is to work. Everything here outlives it.
 *
 * @param device number of the device in {@link Cuda}
 * @param layout of the largest batch
 * @param pool the instance's device memory; what is allocated there is freed by {@link
 *     DeviceEngine#close}
 * @param stream to allocate and free on. Nothing computes on it; await it before memory from it is
 *     used on another
 */
public record EngineSite(
    Cuda cuda, int device, DeviceLayout layout, DevicePool pool, long stream) {}
