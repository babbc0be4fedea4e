package dev.conveyor.verticles;

import dev.conveyor.memory.BlockAllocator;
import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.Gpu;
import dev.conveyor.memory.cuda.GpuWatch;
import dev.conveyor.memory.cuda.Gpus;
import dev.conveyor.memory.cuda.PinnedAllocator;
import dev.conveyor.models.config.ServerConfig;
import dev.conveyor.models.device.GpuPlace;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiConsumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The GPUs of a server with their ledgers. Thread-safe: immutable, but for who is told of a loss.
 */
public final class GpuPlaces implements AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(GpuPlaces.class);

  /** Of a GPU's memory, what models may have if nobody says otherwise. */
  private static final double DEFAULT_SHARE = 0.9;

  /** Outputs that were computed and are not sent yet; what is beyond waits for its clients. */
  private static final long OUTPUT_BYTES = 1L << 30;

  private final Gpus gpus;
  private final GpuWatch watch;
  private final List<GpuPlace> places = new ArrayList<>();
  private final List<BufferPool> pools = new ArrayList<>();
  private volatile BiConsumer<String, String> onLost = (device, reason) -> {};

  /**
   * Finds them. Takes under a second.
   *
   * @param host ledger of the host's memory
   */
  GpuPlaces(ServerConfig.Gpu config, MemoryBudget host) {
    this.gpus =
        config.enabled()
            ? Gpus.find(config.minComputeCapability())
            : Gpus.none("GPUs are not looked for (devices.gpu.enabled is false)");
    this.watch = new GpuWatch(gpus);
    Cuda cuda = gpus.cuda();
    for (Gpu gpu : gpus.usable()) {
      if (cuda != null) {
        long budget = config.memoryBudgetBytes();
        long bytes = budget > 0 ? budget : (long) (gpu.totalBytes() * DEFAULT_SHARE);
        BufferPool outputs =
            new BufferPool(
                new PinnedAllocator(cuda, host, gpu.device() + "/outputs"), OUTPUT_BYTES);
        pools.add(outputs);
        places.add(
            new GpuPlace(
                cuda, gpu, new MemoryBudget(gpu.device(), bytes), host, outputs, this::lost));
      }
    }
  }

  private void lost(GpuPlace place, String reason) {
    LOG.error(
        "{} ({}) is lost to this process, which goes on without it: {}",
        place.gpu().device(),
        place.gpu().name(),
        reason);
    onLost.accept(place.gpu().device(), reason);
  }

  /** Has {@code listener} told, on any thread, of every device that is lost from now on. */
  void onLost(BiConsumer<String, String> listener) {
    onLost = listener;
  }

  /** Returns what was found, in the order of CUDA's numbers. */
  public List<GpuPlace> all() {
    return places;
  }

  /** Returns what was not found or is not used, and why; a line each. */
  public List<String> notes() {
    return gpus.notes();
  }

  /** Returns the figures of the driver. */
  public GpuWatch watch() {
    return watch;
  }

  /**
   * Returns what the inputs of requests are allocated with: memory that GPUs read by themselves if
   * there is one, as long as it can be had.
   */
  BlockAllocator requestMemory() {
    Cuda cuda = gpus.cuda();
    return cuda == null
        ? BlockAllocator.host()
        : new PinnedFirst(
            new PinnedAllocator(
                cuda, new MemoryBudget("pinned inputs", Long.MAX_VALUE), "requests"),
            BlockAllocator.host());
  }

  /** Gives pinned memory that nobody uses back to the system. */
  void trim() {
    pools.forEach(BufferPool::trim);
  }

  @Override
  public void close() {
    watch.close();
    pools.forEach(BufferPool::close);
  }
}
