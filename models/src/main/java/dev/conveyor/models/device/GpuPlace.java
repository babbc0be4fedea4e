package dev.conveyor.models.device;

import dev.conveyor.memory.BlockAllocator;
import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.DevicePool;
import dev.conveyor.memory.cuda.Gpu;
import dev.conveyor.memory.cuda.PinnedAllocator;
import dev.conveyor.models.LateBytes;
import dev.conveyor.models.backend.ModelLoadException;
import dev.conveyor.models.config.Isolation;
import dev.conveyor.models.image.DeviceJpeg;
import dev.conveyor.models.steps.StepDevice;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/**
 * One GPU as models see it: its ledger, pinned memory for what comes and goes, and whether it is
 * lost. Thread-safe; lives as long as the server.
 *
 * <p>A GPU is lost to the whole process at once ({@link
 * dev.conveyor.memory.cuda.CudaException#isSticky}): nothing is loaded on it any more.
 */
public final class GpuPlace implements StepDevice, AutoCloseable {

  private final Cuda cuda;
  private final Gpu gpu;
  private final MemoryBudget budget;
  private final MemoryBudget hostBudget;
  private final BufferPool pinned;
  private final ResidentPool residents;
  private final DeviceDecodes decodes;
  private final boolean spins;
  private final BiConsumer<GpuPlace, Isolation> onLost;
  private final AtomicReference<@Nullable String> lost = new AtomicReference<>();
  private final AtomicReference<@Nullable String> givenUp = new AtomicReference<>();
  private volatile @Nullable PipelineTrace trace;
  private final Set<DevicePool> pools = ConcurrentHashMap.newKeySet();
  private final Set<LaneGroup> grown = ConcurrentHashMap.newKeySet();

  /**
   * Creates the place.
   *
   * @param budget ledger of its memory; its name is that of the device
   * @param hostBudget ledger of the host, for staging memory
   * @param pinned lends pinned memory for outputs
   * @param spins whether waiting for a batch may use a core
   * @param onLost told, on any thread and once each, which models have lost the device
   */
  public GpuPlace(
      Cuda cuda,
      Gpu gpu,
      MemoryBudget budget,
      MemoryBudget hostBudget,
      BufferPool pinned,
      boolean spins,
      BiConsumer<GpuPlace, Isolation> onLost) {
    this.cuda = cuda;
    this.gpu = gpu;
    this.budget = budget;
    this.hostBudget = hostBudget;
    this.pinned = pinned;
    this.spins = spins;
    this.onLost = onLost;
    this.residents = new ResidentPool(cuda, gpu.ordinal(), budget, pinned, this::markLost);
    this.decodes =
        new DeviceDecodes(
            cuda,
            gpu.ordinal(),
            budget,
            residents,
            new PinnedAllocator(cuda, hostBudget, budget.device() + DeviceDecodes.KIND));
  }

  public Cuda cuda() {
    return cuda;
  }

  public Gpu gpu() {
    return gpu;
  }

  public MemoryBudget budget() {
    return budget;
  }

  /** Has instances that are made from now on note when their batches do what; null ends that. */
  public void traceTo(@Nullable PipelineTrace to) {
    trace = to;
  }

  @Nullable PipelineTrace trace() {
    return trace;
  }

  /** Returns whether waiting for a batch may use a core. */
  public boolean spins() {
    return spins;
  }

  /** Returns the ledger of the host that what is pinned for this GPU is in. */
  public MemoryBudget hostBudget() {
    return hostBudget;
  }

  BufferPool pinned() {
    return pinned;
  }

  /** Returns the memory of outputs that stay here until the next model has read them. */
  ResidentPool residents() {
    return residents;
  }

  @Override
  public String name() {
    return budget.device();
  }

  @Override
  public boolean readsFrom(String device) {
    return lost.get() == null && residents.peers().takesFrom(device);
  }

  /** Returns the bytes of tensors that were copied here straight from other GPUs. */
  public long directBytes() {
    return residents.peers().directBytes();
  }

  /** Returns the bytes of tensors on other GPUs that the driver took here over the host. */
  public long stagedBytes() {
    return residents.peers().stagedBytes();
  }

  @Override
  public boolean worksOnPixels() {
    return lost.get() == null && !residents.pixels().isRefused();
  }

  @Override
  public boolean decodesImages() {
    return lost.get() == null && !decodes.isRefused();
  }

  @Override
  public @Nullable LateBytes tryDecode(List<DeviceJpeg> images) {
    return decodes.tryDecode(images);
  }

  /**
   * Gives back what steps keep for later, for who needs the memory. The calling thread is on the
   * device afterwards. May wait for the device.
   */
  void trimSteps() {
    decodes.trim();
    residents.trim();
  }

  /**
   * Enqueues a copy to memory between steps, as if a model had computed it. On a thread that has
   * set the device.
   *
   * @param pinned address on the host, to be left alone until {@code stream} is past it
   * @return null if there is no room
   * @throws dev.conveyor.memory.cuda.CudaException if the device is lost
   */
  public @Nullable LateBytes tryKeep(long pinned, int bytes, long stream) {
    return residents.tryKeep(pinned, bytes, stream);
  }

  BlockAllocator staging(String owner) {
    return new PinnedAllocator(cuda, hostBudget, owner);
  }

  /** Has {@link #trim} look after a pool, until {@link #forget}. */
  public void watch(DevicePool pool) {
    pools.add(pool);
  }

  /** Has {@link #trim} shrink an instance, until {@link #forget}. */
  void watch(LaneGroup group) {
    grown.add(group);
  }

  void forget(LaneGroup group) {
    grown.remove(group);
  }

  void forget(DevicePool pool) {
    pools.remove(pool);
  }

  /** Returns how many batches were begun here; each borrows memory for its outputs. */
  public long batches() {
    return pinned.lends() + residents.lends();
  }

  /** Returns whether nobody holds outputs of a batch, computed or not. */
  public boolean isIdle() {
    return pinned.leasedBytes() == 0 && residents.lent() == 0;
  }

  /**
   * Gives back what models keep for later and nobody uses now: pinned memory to the system, device
   * memory to the device. The next batches allocate anew. May wait for the device, on which the
   * calling thread is afterwards unless it is lost.
   *
   * @return bytes given back
   */
  public long trim() {
    long bytes = pinned.trim() + residents.takenBytes() + decodes.takenBytes();
    trimSteps();
    bytes -= residents.takenBytes() + decodes.takenBytes();
    if (lost.get() == null) {
      use();
      grown.forEach(LaneGroup::shrink);
    }
    for (DevicePool pool : pools) {
      long before = pool.takenBytes();
      pool.trim();
      bytes += before - pool.takenBytes();
    }
    return bytes;
  }

  /** Has the calling thread work on this device. */
  void use() {
    cuda.useDevice(gpu.ordinal());
  }

  /** Gives back what no model owns; all of them are unloaded. */
  @Override
  public void close() {
    decodes.close();
    residents.close();
  }

  /** Notes that the device is lost to this process. */
  public void markLost(String reason) {
    if (lost.compareAndSet(null, reason)) {
      residents.noteLost();
      onLost.accept(this, Isolation.NONE);
    }
  }

  /** Returns why nothing of this process can run here any more; null if it can. */
  public @Nullable String lost() {
    return lost.get();
  }

  /**
   * Notes that the device is lost to other processes. What runs in this one goes on: it finds out
   * by itself whether it can, and the reason may lie in how processes are started here.
   */
  public void giveUp(String reason) {
    if (givenUp.compareAndSet(null, reason)) {
      onLost.accept(this, Isolation.PROCESS);
    }
  }

  /** Returns why other processes can run nothing here; null if they can. */
  public @Nullable String givenUp() {
    return givenUp.get();
  }

  /** Returns what to throw for a model that can have no instance here. */
  public ModelLoadException refusal(Path file, String why) {
    return new ModelLoadException(
        "%s: %s is lost to this process: %s".formatted(file, gpu.device(), why));
  }
}
