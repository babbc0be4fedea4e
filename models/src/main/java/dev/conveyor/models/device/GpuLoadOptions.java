package dev.conveyor.models.device;

import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.models.config.ModelConfig;

/**
 * How to load a model on one GPU.
 *
 * @param owner tag of its reservations in the ledger, {@code model/version}
 * @param device number of the device in {@link Cuda}
 * @param budget ledger of the device; what the model holds is reserved there until it is closed
 * @param config as configured; what it leaves to the model is not filled in yet
 */
public record GpuLoadOptions(
    String owner, Cuda cuda, int device, MemoryBudget budget, ModelConfig config) {}
