package dev.conveyor.verticles.cli.gpucheck;

import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.Gpu;
import dev.conveyor.memory.cuda.GpuFigures;
import dev.conveyor.memory.cuda.Gpus;
import dev.conveyor.memory.cuda.Nvml;
import dev.conveyor.memory.cuda.PinnedAllocator;
import dev.conveyor.models.device.GpuPlace;
import java.nio.file.Path;
import java.util.Optional;

/**
 * Where a check runs: a device, its ledger, and files. Thread-confined, but for what is thread-safe
 * by itself. The thread that makes it works on the device from then on.
 */
final class CheckSite implements AutoCloseable {

  private static final double SHARE = 0.9;
  private static final long HOST_BYTES = 8L << 30;
  private static final long OUTPUT_BYTES = 1L << 30;

  private final Gpus gpus;
  private final Cuda cuda;
  private final Gpu gpu;
  private final Path home;
  private final Path scratch;
  private final Path keep;
  private final MemoryBudget device;
  private final MemoryBudget host = new MemoryBudget("host", HOST_BYTES);
  private final BufferPool outputs;
  private final GpuPlace place;

  /**
   * Makes a site.
   *
   * @param home directory with {@code conf}
   * @param scratch directory for files that go afterwards
   * @param keep directory for files that stay
   */
  CheckSite(Gpus gpus, Cuda cuda, Gpu gpu, Path home, Path scratch, Path keep) {
    this.gpus = gpus;
    this.cuda = cuda;
    this.gpu = gpu;
    this.home = home;
    this.scratch = scratch;
    this.keep = keep;
    cuda.useDevice(gpu.ordinal());
    this.device = new MemoryBudget(gpu.device(), (long) (gpu.totalBytes() * SHARE));
    this.outputs = new BufferPool(new PinnedAllocator(cuda, host, "outputs"), OUTPUT_BYTES);
    this.place = new GpuPlace(cuda, gpu, device, host, outputs, false, (which, isolation) -> {});
  }

  /** Returns the same on another device, which the calling thread works on from then on. */
  CheckSite at(Gpu other) {
    return new CheckSite(gpus, cuda, other, home, scratch, keep);
  }

  Gpus gpus() {
    return gpus;
  }

  Cuda cuda() {
    return cuda;
  }

  Gpu gpu() {
    return gpu;
  }

  Path home() {
    return home;
  }

  Path scratch() {
    return scratch;
  }

  /** Returns where files go that a person reads afterwards. */
  Path keep() {
    return keep;
  }

  /** Returns the ledger of the device. */
  MemoryBudget device() {
    return device;
  }

  /** Returns the ledger of the host. */
  MemoryBudget host() {
    return host;
  }

  /** Returns what NVML tells of the device; empty without it. */
  Optional<GpuFigures> figures() {
    Nvml nvml = gpus.nvml();
    return nvml == null ? Optional.empty() : nvml.figures(gpu.uuid());
  }

  GpuPlace place() {
    return place;
  }

  @Override
  public void close() {
    place.close();
    outputs.close();
  }
}
