package dev.conveyor.scheduler.placement;

import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/** Devices and models for tests: a batch takes 1 ms, and 1 ms per item. */
final class Fleets {

  static final long MS = 1_000_000;
  static final long SECOND = 1000 * MS;
  static final String KIND = "gpu";

  private Fleets() {}

  static List<FleetDevice> devices(int count, long memoryBytes) {
    return IntStream.range(0, count)
        .mapToObj(d -> new FleetDevice("d" + d, KIND, memoryBytes, 1, 1))
        .toList();
  }

  /** Of 10 bytes, 1 s to load, batches of up to 8, 10 ms to answer. */
  static ModelNeed model(String name, double ratePerSecond) {
    return model(name, ratePerSecond, 10, SECOND, false);
  }

  static ModelNeed model(
      String name, double ratePerSecond, long bytes, long loadNs, boolean pinned) {
    return new ModelNeed(
        name,
        bytes,
        loadNs,
        8,
        10 * MS,
        ratePerSecond,
        pinned,
        1,
        Integer.MAX_VALUE,
        Map.of(KIND, items -> MS + MS * (double) items));
  }

  static ModelNeed bounded(String name, double ratePerSecond, int minDevices, int maxDevices) {
    return new ModelNeed(
        name,
        10,
        SECOND,
        8,
        10 * MS,
        ratePerSecond,
        false,
        minDevices,
        maxDevices,
        Map.of(KIND, items -> MS + MS * (double) items));
  }
}
