package dev.conveyor.models.process;

import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.models.device.GpuPlace;
import dev.conveyor.models.device.LoadMeter;
import org.jspecify.annotations.Nullable;

/**
 * What the workers of a model may have of a GPU.
 *
 * @param place the GPU
 * @param budget its ledger, or the model's part of it: what workers report is reserved there
 * @param config as configured
 */
public record GpuShare(GpuPlace place, MemoryBudget budget, ModelConfig config) {

  /**
   * Waits until nobody measures a load on the GPU, and lets nobody until that turn ends: for what a
   * worker gives back, until the ledger says so too.
   *
   * @param share null on the CPU, where there is nothing to wait for
   */
  static LoadMeter.Turn toGiveBack(@Nullable GpuShare share) {
    return share == null ? () -> {} : LoadMeter.unmeasured(share.place().gpu().ordinal());
  }
}
