package dev.conveyor.scheduler;

/**
 * What a device can run at once.
 *
 * @param kind whether batches take cores or slots
 * @param capacity cores of a CPU that batches may keep busy; batches in flight on a GPU
 */
public record DeviceSpec(String name, Kind kind, int capacity) {

  /** What a batch takes of a device. */
  public enum Kind {
    /** As many units as the instance has threads. */
    CPU,
    /** One unit. */
    GPU
  }

  public DeviceSpec {
    if (capacity < 1) {
      throw new IllegalArgumentException(name + ": capacity must be >= 1, was " + capacity);
    }
  }

  public static DeviceSpec cpu(String name, int cores) {
    return new DeviceSpec(name, Kind.CPU, cores);
  }

  public static DeviceSpec gpu(String name, int slots) {
    return new DeviceSpec(name, Kind.GPU, slots);
  }

  /**
   * Returns the units that a batch of an instance takes. An instance with more threads than the
   * device has cores takes them all, and so runs alone.
   */
  int units(InstanceRef instance) {
    return kind == Kind.GPU ? 1 : Math.min(instance.threads(), capacity);
  }

  /** Returns the same for a batch that runs while nothing else wants the device. */
  int idleUnits(InstanceRef instance) {
    return kind == Kind.GPU ? 1 : Math.min(instance.idleThreads(), capacity);
  }
}
