package dev.conveyor.scheduler.occupancy;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * Which models live on which devices, and with which part of their load. Immutable.
 *
 * @param devices by index; a device may be empty
 * @param unplaced items per second that found no device, by model
 */
public record PlacementPlan(List<Device> devices, Map<String, Double> unplaced) {

  public PlacementPlan {
    devices = List.copyOf(devices);
    unplaced = Map.copyOf(unplaced);
  }

  /**
   * One device.
   *
   * @param dutyNs cycle in which every model here has one batch
   * @param busyNs part of it that batches take
   */
  public record Device(List<Share> shares, double dutyNs, double busyNs, long bytes) {
    public Device {
      shares = List.copyOf(shares);
    }

    /** Returns the part of the time that batches run, 0 to 1. */
    public double occupancy() {
      return shares.isEmpty() ? 0 : busyNs / dutyNs;
    }
  }

  /** A model on a device. */
  public record Share(String model, double perSecond, int batch) {}

  /** Returns the indices of the devices that a model is on, ascending. */
  public Set<Integer> devicesOf(String model) {
    Set<Integer> on = new TreeSet<>();
    for (int d = 0; d < devices.size(); d++) {
      for (Share share : devices.get(d).shares()) {
        if (share.model().equals(model)) {
          on.add(d);
        }
      }
    }
    return on;
  }

  /** Returns how many devices have anything to do. */
  public int used() {
    return (int) devices.stream().filter(device -> !device.shares().isEmpty()).count();
  }

  /** Returns the models of each device. */
  public List<Set<String>> residents() {
    List<Set<String>> residents = new ArrayList<>();
    for (Device device : devices) {
      Set<String> models = new TreeSet<>();
      device.shares().forEach(share -> models.add(share.model()));
      residents.add(models);
    }
    return residents;
  }

  /** Returns the items per second that are placed, by model. */
  public Map<String, Double> placed() {
    Map<String, Double> placed = new LinkedHashMap<>();
    for (Device device : devices) {
      device.shares().forEach(share -> placed.merge(share.model(), share.perSecond(), Double::sum));
    }
    return placed;
  }
}
