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
 * @param beforeMeasuring called on the thread that loads before what it takes is measured: has
 *     other processes give nothing back until the load has ended
 */
public record GpuLoadOptions(
    String owner,
    Cuda cuda,
    int device,
    MemoryBudget budget,
    ModelConfig config,
    Runnable beforeMeasuring) {

  /** Loads in the server's process, which knows when others give something back. */
  public GpuLoadOptions(
      String owner, Cuda cuda, int device, MemoryBudget budget, ModelConfig config) {
    this(owner, cuda, device, budget, config, () -> {});
  }
}
