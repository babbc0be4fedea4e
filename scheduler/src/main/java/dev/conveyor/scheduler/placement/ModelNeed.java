package dev.conveyor.scheduler.placement;

import java.util.Map;

/**
 * What one model asks of the devices.
 *
 * @param bytes that it takes on each device where it is
 * @param loadNs how long it takes to get onto one more
 * @param objectiveNs what latency is held against; 0 if nothing was said
 * @param ratePerSecond items that come
 * @param pinned stays on the devices where it is, and goes to no other
 * @param minDevices it is on so many at least, if they have the memory
 * @param maxDevices and on so many at most
 * @param times what its batches take, by kind of device; it cannot run on other kinds
 */
public record ModelNeed(
    String name,
    long bytes,
    long loadNs,
    int maxBatchSize,
    long objectiveNs,
    double ratePerSecond,
    boolean pinned,
    int minDevices,
    int maxDevices,
    Map<String, BatchTimes> times) {

  /** What a batch takes on a device of speed 1. */
  @FunctionalInterface
  public interface BatchTimes {

    /** Returns nanoseconds for a batch of 1 to {@code maxBatchSize} items; above 0. */
    double ns(int items);
  }

  public ModelNeed {
    times = Map.copyOf(times);
    if (maxBatchSize < 1 || minDevices < 0 || maxDevices < Math.max(1, minDevices)) {
      throw new IllegalArgumentException(
          "%s: maxBatchSize >= 1, 0 <= minDevices <= maxDevices, maxDevices >= 1, were %d, %d, %d"
              .formatted(name, maxBatchSize, minDevices, maxDevices));
    }
    if (!(ratePerSecond >= 0) || bytes < 0 || loadNs < 0) {
      throw new IllegalArgumentException(
          "%s: rate, bytes and load time >= 0, were %s, %d, %d"
              .formatted(name, ratePerSecond, bytes, loadNs));
    }
  }

  boolean hasLoad() {
    return ratePerSecond > 0;
  }

  /** Returns on how many devices it must stay: on one, if requests come. */
  int leastDevices() {
    return Math.max(minDevices, hasLoad() ? 1 : 0);
  }
}
