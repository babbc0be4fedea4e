package dev.conveyor.models.process.worker;

import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.CudaException;
import dev.conveyor.memory.cuda.CudaLibraries;
import dev.conveyor.memory.cuda.Gpu;
import dev.conveyor.memory.cuda.PinnedAllocator;
import dev.conveyor.models.backend.ExecutionException;
import dev.conveyor.models.backend.ModelLoadException;
import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.models.device.GpuBackends;
import dev.conveyor.models.device.GpuLoadOptions;
import dev.conveyor.models.device.GpuModel;
import dev.conveyor.models.device.GpuPlace;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * The one GPU that this worker sees. Thread-safe; what happens to it happens to this process only.
 */
final class WorkerGpu {

  /** Outputs that are on their way to the shared memory. */
  private static final long OUTPUT_BYTES = 1L << 30;

  private static final int DEVICE = 0;
  private static final int TRIED_BYTES = 4096;

  private final Cuda cuda;
  private final MemoryBudget budget;
  private final GpuPlace place;

  private WorkerGpu(Cuda cuda, MemoryBudget budget, GpuPlace place) {
    this.cuda = cuda;
    this.budget = budget;
    this.place = place;
  }

  /**
   * Finds it and tries it, with a copy there and back.
   *
   * @param bytes that this worker may have of it
   * @param host ledger of the host
   * @param spins whether waiting for a batch may use a core
   * @throws DeviceUnusableException if it cannot be used
   * @throws ExecutionException OUT_OF_MEMORY if it is full
   */
  static WorkerGpu open(long bytes, MemoryBudget host, boolean spins) {
    CudaLibraries.Found found = CudaLibraries.find();
    Cuda cuda = found.cuda();
    if (cuda == null) {
      throw new DeviceUnusableException(found.reason());
    }
    try {
      cuda.useDevice(DEVICE);
      tryOut(cuda);
      Gpu gpu =
          new Gpu(
              DEVICE,
              "GPU-" + cuda.uuid(DEVICE),
              cuda.name(DEVICE),
              cuda.computeCapability(DEVICE),
              cuda.totalBytes(DEVICE));
      MemoryBudget budget = new MemoryBudget(gpu.device(), Math.max(1, bytes));
      BufferPool outputs =
          new BufferPool(new PinnedAllocator(cuda, host, gpu.device() + "/outputs"), OUTPUT_BYTES);
      GpuPlace place =
          new GpuPlace(cuda, gpu, budget, host, outputs, spins, (lost, isolation) -> {});
      return new WorkerGpu(cuda, budget, place);
    } catch (CudaException e) {
      if (e.isOutOfMemory()) {
        throw new ExecutionException(
            ExecutionException.Kind.OUT_OF_MEMORY, String.valueOf(e.getMessage()));
      }
      throw new DeviceUnusableException(String.valueOf(e.getMessage()));
    }
  }

  private static void tryOut(Cuda cuda) {
    long stream = cuda.newStream(0);
    long pool = cuda.newPool(DEVICE, TRIED_BYTES);
    long host = cuda.allocatePinned(TRIED_BYTES);
    long device = cuda.allocate(pool, TRIED_BYTES, stream);
    cuda.copyToDevice(device, host, TRIED_BYTES, stream);
    cuda.copyToHost(host, device, TRIED_BYTES, stream);
    cuda.free(device, stream);
    cuda.awaitStream(stream);
    cuda.freePinned(host);
    cuda.destroyPool(pool);
    cuda.destroyStream(stream);
  }

  /**
   * Loads a model with the backends of this program. Images reach it decoded.
   *
   * @param beforeMeasuring as in {@link GpuLoadOptions}
   * @throws ModelLoadException if none can
   */
  GpuModel load(Path file, String owner, ModelConfig config, Runnable beforeMeasuring) {
    GpuBackends.Choice choice = GpuBackends.find().choose(file, config);
    if (choice.usable().isEmpty()) {
      throw new ModelLoadException(choice.reason());
    }
    GpuLoadOptions options =
        new GpuLoadOptions(owner, cuda, DEVICE, budget, config, beforeMeasuring);
    return GpuModel.loadForTensors(
        file, place, choice.usable(), options, config.gpuPriority().ofStreams());
  }

  Cuda cuda() {
    return cuda;
  }

  /** Returns the ledger of what this worker holds of it. */
  MemoryBudget budget() {
    return budget;
  }

  /** Returns why this process can use it no more; null if it can. */
  @Nullable String lost() {
    return place.lost();
  }
}
