package dev.conveyor.verticles.metrics;

import dev.conveyor.memory.cpu.CpuFigures;
import dev.conveyor.memory.cuda.Gpu;
import dev.conveyor.memory.cuda.GpuFigures;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * What the scheduler and the memory ledgers hold at one moment. Immutable.
 *
 * @param requests memory of all requests under way
 */
public record SystemSnapshot(
    List<Model> models, List<Instance> instances, List<Device> devices, Requests requests) {

  public static final SystemSnapshot EMPTY = new SystemSnapshot(List.of(), List.of(), List.of());

  /**
   * Memory of requests, which is pinned where there is a GPU.
   *
   * @param usedBytes of it that requests hold
   * @param totalBytes most that they may hold
   */
  public record Requests(long usedBytes, long totalBytes) {}

  /** A system whose requests hold nothing. */
  public SystemSnapshot(List<Model> models, List<Instance> instances, List<Device> devices) {
    this(models, instances, devices, new Requests(0, 0));
  }

  public SystemSnapshot {
    models = List.copyOf(models);
    instances = List.copyOf(instances);
    devices = List.copyOf(devices);
  }

  /**
   * A GPU and how it is.
   *
   * @param figures empty if NVML does not tell
   * @param lost why it is lost to this process; empty if it is not
   * @param directBytes of tensors that were copied to it straight from other GPUs
   * @param stagedBytes of tensors on other GPUs that the driver took to it over the host
   */
  public record GpuLine(
      Gpu gpu, Optional<GpuFigures> figures, String lost, long directBytes, long stagedBytes) {}

  /** The line of one version of a model. */
  public record Model(String name, String version, int queuedRequests, int runningBatches) {}

  /**
   * One instance of a model.
   *
   * @param state {@code IDLE}, {@code BUSY}, or what keeps it from working
   */
  public record Instance(String model, String version, int index, String device, String state) {}

  /**
   * One device.
   *
   * @param kind {@code CPU} or {@code GPU}
   * @param cores that may compute at the same time; 0 if that means nothing for this kind
   * @param busyFraction of its time, lately; within 0 and 1
   * @param holderBytes memory reserved, by owner
   * @param gpu what the driver tells of a GPU; null for a CPU
   * @param cpu what the system tells of a CPU; nothing of a GPU
   */
  public record Device(
      String name,
      String kind,
      int cores,
      double busyFraction,
      long memoryReservedBytes,
      long memoryCapacityBytes,
      Map<String, Long> holderBytes,
      @Nullable GpuLine gpu,
      CpuFigures cpu) {

    public Device {
      holderBytes = Map.copyOf(holderBytes);
    }

    /** A CPU of which the system tells nothing. */
    public Device(
        String name,
        String kind,
        int cores,
        double busyFraction,
        long memoryReservedBytes,
        long memoryCapacityBytes,
        Map<String, Long> holderBytes) {
      this(
          name,
          kind,
          cores,
          busyFraction,
          memoryReservedBytes,
          memoryCapacityBytes,
          holderBytes,
          null,
          CpuFigures.NONE);
    }
  }
}
