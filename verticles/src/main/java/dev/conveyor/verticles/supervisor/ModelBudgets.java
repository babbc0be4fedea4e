package dev.conveyor.verticles.supervisor;

import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.models.config.ModelConfig;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * What one load of a model may hold on each device: its versions, instances and copies together.
 * Thread-safe.
 */
final class ModelBudgets {

  private final String model;
  private final long limitBytes;
  private final Map<String, MemoryBudget> parts = new ConcurrentHashMap<>();

  ModelBudgets(ModelConfig config) {
    this.model = config.name();
    this.limitBytes = config.extensions().memory().limitBytes();
  }

  /** Returns the model's part of a device's ledger; all of that if the model has no limit. */
  MemoryBudget on(MemoryBudget device) {
    return limitBytes == 0
        ? device
        : parts.computeIfAbsent(
            device.device(), name -> device.part("model '" + model + "'", limitBytes));
  }
}
