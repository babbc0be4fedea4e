package dev.conveyor.scheduler;

import java.util.List;

/**
 * What the scheduler held and had done at one moment. Immutable. Counters only grow; rates and
 * fractions are differences of two snapshots.
 *
 * @param takenNs {@link System#nanoTime} of that moment
 */
public record SchedulerSnapshot(long takenNs, List<Model> models, List<Device> devices) {

  /**
   * One version of a model.
   *
   * @param running batches in flight
   * @param dispatchedRequests requests handed to instances so far
   * @param refused requests turned away at the door so far: queue full, unknown, invalid
   * @param expired requests that waited too long
   * @param cancelled requests that were answered before they ran
   */
  public record Model(
      String key,
      int queuedRequests,
      int queuedItems,
      int running,
      int instances,
      boolean draining,
      long dispatchedRequests,
      long dispatchedBatches,
      long refused,
      long expired,
      long cancelled) {}

  /**
   * One device.
   *
   * @param used units (cores, slots) that batches take now
   * @param busyUnitNs integral of {@code used} over time
   */
  public record Device(String name, int capacity, int used, long busyUnitNs) {}

  /** Returns the part of a device's capacity that was used since an earlier snapshot, 0 to 1. */
  public double busyFraction(String device, SchedulerSnapshot earlier) {
    long elapsedNs = takenNs - earlier.takenNs;
    Device now = find(device);
    if (elapsedNs <= 0) {
      return (double) now.used / now.capacity;
    }
    long busyNs = now.busyUnitNs - earlier.find(device).busyUnitNs;
    return (double) busyNs / ((double) elapsedNs * now.capacity);
  }

  private Device find(String name) {
    for (Device device : devices) {
      if (device.name().equals(name)) {
        return device;
      }
    }
    throw new IllegalArgumentException("no device " + name);
  }
}
