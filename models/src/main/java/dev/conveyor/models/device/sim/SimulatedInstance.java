package dev.conveyor.models.device.sim;

import dev.conveyor.memory.BudgetExceededException;
import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.CudaException;
import dev.conveyor.memory.cuda.DevicePool;
import dev.conveyor.memory.cuda.PinnedAllocator;
import dev.conveyor.models.device.DeviceLayout;
import dev.conveyor.models.device.Pipeline;
import dev.conveyor.models.device.PipelineListener;
import dev.conveyor.models.device.ResidentPool;
import org.jspecify.annotations.Nullable;

/**
 * One instance of a simulated model with its memory, as a server would load it. Not thread-safe:
 * loaded, used and closed by one thread, but for what {@link Pipeline} allows.
 */
public final class SimulatedInstance implements AutoCloseable {

  private final Cuda cuda;
  private final int device;
  private final DevicePool memory;
  private final Pipeline pipeline;

  /** Loads it on a device; all its outputs go to the host. */
  public SimulatedInstance(
      Cuda cuda,
      int device,
      SimulatedModel model,
      MemoryBudget deviceBudget,
      MemoryBudget hostBudget,
      BufferPool pinned,
      PipelineListener listener) {
    this(cuda, device, model, deviceBudget, hostBudget, pinned, listener, null);
  }

  /**
   * Loads it on a device.
   *
   * @param residents memory there of outputs that may stay; null if none do
   * @param deviceBudget ledger of the device
   * @param hostBudget ledger of the host
   * @param pinned lends memory for outputs
   * @throws CudaException if it does not fit; nothing stays allocated
   * @throws BudgetExceededException likewise
   */
  public SimulatedInstance(
      Cuda cuda,
      int device,
      SimulatedModel model,
      MemoryBudget deviceBudget,
      MemoryBudget hostBudget,
      BufferPool pinned,
      PipelineListener listener,
      @Nullable ResidentPool residents) {
    this.cuda = cuda;
    this.device = device;
    DeviceLayout layout = model.layout();
    cuda.useDevice(device);
    memory =
        new DevicePool(
            cuda, device, layout.slabBytes() * model.slots(), deviceBudget, "simulated/slabs");
    try {
      pipeline =
          new Pipeline(
              cuda,
              layout,
              model.slots(),
              0,
              memory,
              new PinnedAllocator(cuda, hostBudget, "simulated/staging"),
              pinned,
              new SimulatedEngine(model),
              listener,
              stream -> null,
              residents,
              deviceBudget.device());
    } catch (RuntimeException | Error e) {
      memory.close();
      throw e;
    }
  }

  /** Returns its pipeline, for a thread that then works on its device. */
  public Pipeline pipeline() {
    cuda.useDeviceEvenIfLost(device);
    return pipeline;
  }

  /** Gives back the pool of one that was abandoned and whose work has ended since. */
  public void freeReturned() {
    cuda.useDeviceEvenIfLost(device);
    memory.close();
  }

  /** Unloads it; an abandoned one keeps its memory, which is in the ledger still. */
  @Override
  public void close() {
    cuda.useDeviceEvenIfLost(device);
    pipeline.close();
    if (!pipeline.isAbandoned()) {
      memory.close();
    }
  }
}
