package dev.conveyor.scheduler.placement;

import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The devices of a server and the models on them at one moment. Immutable.
 *
 * @param takenNs when that was, by the clock that the times of moves are of
 */
public record FleetView(long takenNs, List<Device> devices, List<Model> models) {

  /**
   * One device that works.
   *
   * @param kind batches take as long on another device of the same kind
   * @param freeBytes that models may still take
   */
  public record Device(String name, String kind, long freeBytes) {}

  /**
   * One version of a model.
   *
   * @param key tells it from the others, and stays the same when it is loaded anew
   * @param deployment changes when it is loaded anew, and its counters may begin anew
   * @param bytes that it takes on a device
   * @param loadNs how long its last load took
   * @param objectiveNs what latency is held against; 0 if nothing was said
   * @param arrivedRequests so far, also those that were turned away
   * @param itemsPerRequest on average
   * @param movable it may be loaded onto one more device, or leave one, right now
   * @param maxDevices it is on so many at most
   * @param times what its batches take, by kind of device, as far as that was learned
   * @param devices where it is
   */
  public record Model(
      String key,
      String deployment,
      long bytes,
      long loadNs,
      int maxBatchSize,
      long objectiveNs,
      long arrivedRequests,
      double itemsPerRequest,
      boolean movable,
      int maxDevices,
      Map<String, ModelNeed.BatchTimes> times,
      Set<String> devices) {

    public Model {
      times = Map.copyOf(times);
      devices = Set.copyOf(devices);
    }
  }

  public FleetView {
    devices = List.copyOf(devices);
    models = List.copyOf(models);
  }
}
