package dev.conveyor.verticles.supervisor;

import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.memory.cuda.Gpu;
import dev.conveyor.models.device.GpuPlace;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The devices that models can be on, with their ledgers: the CPU and every GPU. Thread-safe:
 * immutable.
 */
public final class Sites {

  /**
   * One device.
   *
   * @param kind batches take as long on another device of the same kind
   * @param ledger of its memory; its name is the device's in the scheduler
   * @param lost says why nothing can run there any more; null if it can
   */
  record Site(String kind, MemoryBudget ledger, Supplier<@Nullable String> lost) {

    String device() {
      return ledger.device();
    }

    boolean isLost() {
      return lost.get() != null;
    }
  }

  private final Site cpu;
  private final Map<String, Site> byDevice = new LinkedHashMap<>();

  /**
   * Creates them.
   *
   * @param cpu ledger of the host's memory
   */
  public Sites(MemoryBudget cpu, List<GpuPlace> gpus) {
    this.cpu = new Site(cpu.device(), cpu, () -> null);
    byDevice.put(cpu.device(), this.cpu);
    for (GpuPlace place : gpus) {
      byDevice.put(place.gpu().device(), new Site(kind(place.gpu()), place.budget(), place::lost));
    }
  }

  /** Returns the product: a MIG slice's name ends with its profile. */
  static String kind(Gpu gpu) {
    return "%s, compute capability %d.%d"
        .formatted(gpu.name(), gpu.computeCapability() / 10, gpu.computeCapability() % 10);
  }

  Site cpu() {
    return cpu;
  }

  /** Returns the GPUs, in the order of CUDA's numbers. */
  List<Site> gpus() {
    List<Site> gpus = new ArrayList<>(byDevice.values());
    gpus.remove(cpu);
    return gpus;
  }

  boolean isCpu(String device) {
    return cpu.device().equals(device);
  }

  /**
   * Returns a device by its name.
   *
   * @throws IllegalArgumentException if there is none
   */
  Site of(String device) {
    Site site = byDevice.get(device);
    if (site == null) {
      throw new IllegalArgumentException("no device " + device);
    }
    return site;
  }

  /** Returns what the holders of a ledger hold whose tags begin so. */
  static long heldBytes(MemoryBudget ledger, String prefix) {
    long bytes = 0;
    for (Map.Entry<String, Long> holder : ledger.holders().entrySet()) {
      bytes += holder.getKey().startsWith(prefix) ? holder.getValue() : 0;
    }
    return bytes;
  }
}
