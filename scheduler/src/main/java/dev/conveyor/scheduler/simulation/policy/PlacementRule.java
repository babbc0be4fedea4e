package dev.conveyor.scheduler.simulation.policy;

import dev.conveyor.scheduler.placement.FleetDevice;
import dev.conveyor.scheduler.placement.Layout;
import dev.conveyor.scheduler.placement.ModelNeed;
import dev.conveyor.scheduler.placement.PlacementPlanner;
import dev.conveyor.scheduler.placement.PlacementStep;
import dev.conveyor.scheduler.placement.SquishyPacking;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/** Decides where models are, in a simulation. Not thread-safe: made for one run. */
interface PlacementRule {

  /**
   * Returns what to load now; called every few seconds, and only when nothing is loading.
   *
   * @param layout where the models are
   */
  List<PlacementStep> decide(List<ModelNeed> models, Layout layout, long nowNs);

  /** The production planner. */
  static PlacementRule planned(List<FleetDevice> devices) {
    PlacementPlanner planner = new PlacementPlanner(PlacementPlanner.Settings.DEFAULT);
    return (models, layout, nowNs) ->
        planner.plan(devices, models, layout, nowNs).step().map(List::of).orElse(List.of());
  }

  /** All anew by squishy packing, whatever it costs to get there. */
  static PlacementRule repacked(List<FleetDevice> devices) {
    double headroom = PlacementPlanner.Settings.DEFAULT.headroom();
    return (models, layout, nowNs) ->
        steps(devices, models, layout, new SquishyPacking(devices, models, headroom).fresh(layout));
  }

  /**
   * The largest first to the device with the least work that has the memory; a model that needs
   * more than one device is several. Whatever it costs to get there.
   */
  static PlacementRule greedy(List<FleetDevice> devices) {
    return (models, layout, nowNs) -> steps(devices, models, layout, greedy(devices, models));
  }

  private static Layout greedy(List<FleetDevice> devices, List<ModelNeed> models) {
    double[] work = new double[devices.size()];
    double[] needs = models.stream().mapToDouble(m -> need(m, devices.get(0))).toArray();
    Layout layout = Layout.empty(models.size());
    List<Integer> order =
        IntStream.range(0, needs.length)
            .boxed()
            .sorted(Comparator.<Integer>comparingDouble(m -> needs[m]).reversed())
            .toList();
    for (int model : order) {
      int copies = Math.min(devices.size(), Math.max(1, (int) Math.ceil(needs[model])));
      for (int copy = 0; copy < copies; copy++) {
        int best = -1;
        for (int d = 0; d < work.length; d++) {
          boolean fits =
              layout.bytesOn(d, models) + models.get(model).bytes() <= devices.get(d).memoryBytes();
          if (fits && !layout.has(model, d) && (best < 0 || work[d] < work[best])) {
            best = d;
          }
        }
        if (best >= 0) {
          layout = layout.with(model, best);
          work[best] += needs[model] / copies / devices.get(best).speed();
        }
      }
    }
    return layout;
  }

  private static double need(ModelNeed model, FleetDevice device) {
    ModelNeed.BatchTimes times = model.times().get(device.kind());
    if (times == null) {
      return 0;
    }
    int batch = 1;
    while (batch < model.maxBatchSize() && 2 * times.ns(batch + 1) <= model.objectiveNs()) {
      batch++;
    }
    return model.ratePerSecond() * times.ns(batch) / batch / 1e9;
  }

  /** Returns how to get from one layout to another: what is too much leaves for room only. */
  private static List<PlacementStep> steps(
      List<FleetDevice> devices, List<ModelNeed> models, Layout from, Layout to) {
    List<PlacementStep> steps = new ArrayList<>();
    Layout now = from;
    for (int d = 0; d < devices.size(); d++) {
      for (int model : to.modelsOn(d)) {
        if (now.has(model, d)) {
          continue;
        }
        List<Integer> leaving = new ArrayList<>();
        Layout room = now;
        for (int there : now.modelsOn(d)) {
          long bytes = room.bytesOn(d, models) + models.get(model).bytes();
          if (bytes > devices.get(d).memoryBytes() && !to.has(there, d)) {
            leaving.add(there);
            room = room.without(there, d);
          }
        }
        PlacementStep step = new PlacementStep(model, d, leaving, 0, "");
        steps.add(step);
        now = step.applyTo(now);
      }
    }
    return steps;
  }
}
