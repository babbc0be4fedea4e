package dev.conveyor.verticles;

import dev.conveyor.memory.BlockAllocator;
import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.CudaException;
import dev.conveyor.memory.cuda.Gpu;
import dev.conveyor.memory.cuda.GpuWatch;
import dev.conveyor.memory.cuda.Gpus;
import dev.conveyor.memory.cuda.PinnedAllocator;
import dev.conveyor.models.config.Isolation;
import dev.conveyor.models.config.ServerConfig;
import dev.conveyor.models.device.GpuPlace;
import dev.conveyor.scheduler.DeviceSpec;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
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

  /** A GPU without a batch for that long to twice as long is idle. */
  private static final int IDLE_SECONDS = 30;

  private final Gpus gpus;
  private final PinnedLedger pinned;
  private final GpuWatch watch;
  private final List<GpuPlace> places = new ArrayList<>();
  private final List<BufferPool> pools = new ArrayList<>();
  private final ScheduledExecutorService trims =
      Executors.newSingleThreadScheduledExecutor(GpuPlaces::daemon);
  private volatile BiConsumer<String, Isolation> onLost = (device, isolation) -> {};

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
    this.pinned = new PinnedLedger(host);
    Cuda cuda = gpus.cuda();
    for (Gpu gpu : gpus.usable()) {
      if (cuda != null) {
        long budget = config.memoryBudgetBytes();
        long bytes = budget > 0 ? budget : (long) (gpu.totalBytes() * DEFAULT_SHARE);
        BufferPool outputs =
            new BufferPool(
                new PinnedAllocator(cuda, pinned.models(), gpu.device() + "/outputs"),
                OUTPUT_BYTES);
        pools.add(outputs);
        places.add(
            new GpuPlace(
                cuda,
                gpu,
                new MemoryBudget(gpu.device(), bytes),
                pinned.models(),
                outputs,
                config.spin(),
                this::lost));
      }
    }
    if (!places.isEmpty()) {
      List<IdleTrim> idle = places.stream().map(IdleTrim::new).toList();
      var unused =
          trims.scheduleWithFixedDelay(
              () -> lookForIdle(idle), IDLE_SECONDS, IDLE_SECONDS, TimeUnit.SECONDS);
    }
  }

  private static Thread daemon(Runnable work) {
    Thread thread = new Thread(work, "gpu-idle");
    thread.setDaemon(true);
    return thread;
  }

  private void lost(GpuPlace place, Isolation isolation) {
    boolean apart = isolation == Isolation.PROCESS;
    LOG.error(
        "{} ({}) is lost to {}, which go on without it: {}",
        place.gpu().device(),
        place.gpu().name(),
        apart ? "models in processes of their own" : "models in this process",
        apart ? place.givenUp() : place.lost());
    onLost.accept(place.gpu().device(), isolation);
  }

  /** Has {@code listener} told, on any thread, which models lose which device from now on. */
  void onLost(BiConsumer<String, Isolation> listener) {
    onLost = listener;
  }

  /** Returns what was found, in the order of CUDA's numbers. */
  public List<GpuPlace> all() {
    return places;
  }

  /** Returns the scheduler's devices: the CPU, and each of these. */
  List<DeviceSpec> with(DeviceSpec cpu, ServerConfig.Gpu config) {
    List<DeviceSpec> devices = new ArrayList<>();
    devices.add(cpu);
    places.forEach(
        place -> devices.add(DeviceSpec.gpu(place.gpu().device(), config.batchesInFlight())));
    return devices;
  }

  /** Returns the names of the GPUs whose memory one reads by itself. */
  public List<String> peersOf(GpuPlace reader) {
    return places.stream()
        .filter(place -> place != reader && canAccess(reader, place))
        .map(place -> place.gpu().device())
        .toList();
  }

  private static boolean canAccess(GpuPlace reader, GpuPlace peer) {
    try {
      return reader.cuda().canAccessPeer(reader.gpu().ordinal(), peer.gpu().ordinal());
    } catch (CudaException e) {
      return false; // What is wrong with it shows when it is used.
    }
  }

  /** Returns their ledgers, in the same order. */
  List<MemoryBudget> ledgers() {
    return places.stream().map(GpuPlace::budget).toList();
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
            new PinnedAllocator(cuda, pinned.requests(), "requests/inputs"), BlockAllocator.host());
  }

  /** Returns who holds pinned memory of the host. */
  PinnedLedger pinned() {
    return pinned;
  }

  /** Returns {@code gateway}, by way of pinned memory where there is a GPU to read it. */
  InferenceGateway pinning(InferenceGateway gateway, BufferPool requestMemory, String cpu) {
    return gpus.cuda() == null ? gateway : new PinnedGateway(gateway, requestMemory, cpu);
  }

  /** On a thread of its own: giving memory back may wait for the device. */
  private void lookForIdle(List<IdleTrim> idle) {
    for (IdleTrim trim : idle) {
      try {
        long bytes = trim.look();
        if (bytes > 0) {
          LOG.debug("an idle GPU's models gave back {} bytes", bytes);
        }
      } catch (RuntimeException e) {
        LOG.warn("memory of an idle GPU cannot be given back: {}", e.toString());
      }
    }
  }

  @Override
  public void close() {
    watch.close();
    trims.shutdownNow();
    places.forEach(GpuPlace::close);
    pools.forEach(BufferPool::close);
  }
}
