package dev.conveyor.scheduler.placement;

import java.util.List;

/** How the devices of a layout share what comes. Immutable. */
public final class Packing {

  /**
   * What one model has of one device.
   *
   * @param ratePerSecond items that go there
   * @param batch size of its batches, if all come evenly
   * @param dutyNs how often it has its turn
   * @param occupancy part of the device's time
   */
  public record Share(
      int model, int device, double ratePerSecond, int batch, double dutyNs, double occupancy) {}

  private final List<Share> shares;
  private final double[] carried;
  private final double[] needs;
  private final double[] occupancy;

  /** Takes over the arrays. */
  Packing(List<Share> shares, double[] carried, double[] needs, double[] occupancy) {
    this.shares = List.copyOf(shares);
    this.carried = carried;
    this.needs = needs;
    this.occupancy = occupancy;
  }

  public List<Share> shares() {
    return shares;
  }

  /**
   * Returns the part of a model's items that the devices have time for, the headroom included; 1 if
   * nothing comes.
   */
  public double carried(int model) {
    return carried[model];
  }

  /** Returns the part of a device's time that is given away, the headroom included. */
  public double occupancy(int device) {
    return occupancy[device];
  }

  /** Returns the device time of the work that is carried, of all models. */
  public double value() {
    double value = 0;
    for (int m = 0; m < carried.length; m++) {
      value += needs[m] * carried[m];
    }
    return value;
  }

  /** Returns the device time of all work that comes. */
  public double need() {
    double need = 0;
    for (double each : needs) {
      need += each;
    }
    return need;
  }
}
