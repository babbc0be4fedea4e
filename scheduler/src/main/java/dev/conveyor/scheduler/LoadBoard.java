package dev.conveyor.scheduler;

import java.util.ArrayList;
import java.util.List;

/**
 * The models whose load has changed since it was published last.
 *
 * <p>Not thread-safe: owned by the {@link Scheduler}. Publishing costs as much as there were models
 * that something happened to, however many there are.
 */
final class LoadBoard {

  private final List<ModelState> touched = new ArrayList<>();

  /** Takes note that something happened to a model. */
  void touch(ModelState model) {
    if (!model.loadChanged) {
      model.loadChanged = true;
      touched.add(model);
      updateDemand(model, true);
    }
  }

  /** Strikes a model off: it wants nothing any more. */
  void forget(ModelState model) {
    touched.remove(model);
    updateDemand(model, false);
    model.admission.publishNothing();
  }

  void publish(long nowNs) {
    for (int i = 0; i < touched.size(); i++) {
      ModelState model = touched.get(i);
      model.loadChanged = false;
      boolean wants = model.running > 0 || model.batcher.queue().requests() > 0;
      updateDemand(model, wants);
      model.admission.publish(nowNs);
    }
    touched.clear();
  }

  private static void updateDemand(ModelState model, boolean wants) {
    double weight = wants ? model.plan.weight() : 0;
    for (int i = 0; i < model.placements.size(); i++) {
      Placement placement = model.placements.get(i);
      placement.device.setDemand(placement, weight);
    }
  }
}
