package dev.conveyor.models.process;

import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.models.device.GpuPlace;

/**
 * What the workers of a model may have of a GPU.
 *
 * @param place the GPU
 * @param budget its ledger, or the model's part of it: what workers report is reserved there
 * @param config as configured
 */
public record GpuShare(GpuPlace place, MemoryBudget budget, ModelConfig config) {}
