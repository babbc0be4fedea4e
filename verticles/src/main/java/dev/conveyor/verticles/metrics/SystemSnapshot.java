package dev.conveyor.verticles.metrics;

import java.util.List;
import java.util.Map;

/** What the scheduler and the memory ledgers hold at one moment. Immutable. */
public record SystemSnapshot(List<Model> models, List<Instance> instances, List<Device> devices) {

  public static final SystemSnapshot EMPTY = new SystemSnapshot(List.of(), List.of(), List.of());

  public SystemSnapshot {
    models = List.copyOf(models);
    instances = List.copyOf(instances);
    devices = List.copyOf(devices);
  }

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
   */
  public record Device(
      String name,
      String kind,
      int cores,
      double busyFraction,
      long memoryReservedBytes,
      long memoryCapacityBytes,
      Map<String, Long> holderBytes) {

    public Device {
      holderBytes = Map.copyOf(holderBytes);
    }
  }
}
