package dev.conveyor.scheduler.placement;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What every model can do on every device. Immutable. */
final class Fits {

  private final int devices;
  private final @Nullable DeviceFit[] byModelAndDevice;
  private final double[] needs;

  Fits(List<FleetDevice> devices, List<ModelNeed> models) {
    this.devices = devices.size();
    this.byModelAndDevice = new @Nullable DeviceFit[models.size() * devices.size()];
    this.needs = new double[models.size()];
    for (int m = 0; m < needs.length; m++) {
      fit(m, models.get(m), devices);
    }
  }

  private void fit(int index, ModelNeed model, List<FleetDevice> all) {
    Map<String, DeviceFit> byClass = new HashMap<>();
    boolean anyMeets = false;
    for (int d = 0; d < devices; d++) {
      FleetDevice device = all.get(d);
      ModelNeed.BatchTimes times = model.times().get(device.kind());
      if (times != null) {
        DeviceFit fit =
            byClass.computeIfAbsent(
                device.kind() + ' ' + device.speed(),
                k -> new DeviceFit(model, times, device.speed()));
        byModelAndDevice[index * devices + d] = fit;
        anyMeets |= fit.meets();
      }
    }
    double best = 0;
    for (int d = 0; d < devices; d++) {
      DeviceFit fit = byModelAndDevice[index * devices + d];
      if (fit != null && anyMeets && !fit.meets()) {
        byModelAndDevice[index * devices + d] = null; // others are fast enough
      } else if (fit != null) {
        best = Math.max(best, fit.wholeRate());
      }
    }
    needs[index] = best == 0 ? 0 : model.ratePerSecond() / best;
  }

  /** Returns true if a model can run on a device, and meets its objective if it can anywhere. */
  boolean isUsable(int model, int device) {
    return byModelAndDevice[model * devices + device] != null;
  }

  /**
   * Returns what a model can do on a device.
   *
   * @throws IllegalArgumentException if that is not usable
   */
  DeviceFit get(int model, int device) {
    DeviceFit fit = byModelAndDevice[model * devices + device];
    if (fit == null) {
      throw new IllegalArgumentException("model " + model + " is of no use on device " + device);
    }
    return fit;
  }

  int models() {
    return needs.length;
  }

  /** Returns the device time that a model takes on the best of devices; 0 if nothing comes. */
  double need(int model) {
    return needs[model];
  }
}
