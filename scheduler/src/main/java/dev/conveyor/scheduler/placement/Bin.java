package dev.conveyor.scheduler.placement;

import java.util.ArrayList;
import java.util.List;

/**
 * One device and what is in it so far: models that go round in one duty cycle.
 *
 * <p>Not thread-safe: owned by a packing in the making.
 */
final class Bin {

  private static final double FULL = 1 - 1e-9;
  private static final int HALVINGS = 14;

  final int device;
  final int slots;
  final List<Integer> models = new ArrayList<>();

  /** With headroom, items per second, one per model. */
  final List<Double> rates = new ArrayList<>();

  long freeBytes;
  private final Fits fits;
  private double dutyNs = Double.POSITIVE_INFINITY;
  private double busyNs;

  Bin(int device, FleetDevice spec, Fits fits) {
    this.device = device;
    this.slots = spec.slots();
    this.freeBytes = spec.memoryBytes();
    this.fits = fits;
  }

  double dutyNs() {
    return dutyNs;
  }

  double occupancy() {
    return models.isEmpty() ? 0 : busyNs / (slots * dutyNs);
  }

  private double busyNs(double cycleNs) {
    double busy = 0;
    for (int i = 0; i < models.size(); i++) {
      busy += fits.get(models.get(i), device).busyNs(rates.get(i), cycleNs);
    }
    return busy;
  }

  /** Returns the occupancy with so much of a model; above 1 if it does not fit. */
  double occupancyWith(int model, double rate) {
    if (occupancy() >= FULL) {
      return 2;
    }
    DeviceFit fit = fits.get(model, device);
    double cycleNs = Math.min(dutyNs, fit.dutyNs(rate));
    return (busyNs(cycleNs) + fit.busyNs(rate, cycleNs)) / (slots * cycleNs);
  }

  void add(int model, double rate, double longestDutyNs) {
    models.add(model);
    rates.add(rate);
    dutyNs = Math.min(dutyNs, longestDutyNs);
    busyNs = busyNs(dutyNs);
  }

  /** Returns the largest part of a rate that fits. */
  double largestPart(int model, double rate) {
    double low = 0;
    double high = occupancy() >= FULL ? 0 : rate;
    for (int i = 0; i < HALVINGS && high > 0; i++) {
      double middle = (low + high) / 2;
      if (occupancyWith(model, middle) <= 1) {
        low = middle;
      } else {
        high = middle;
      }
    }
    return low;
  }
}
