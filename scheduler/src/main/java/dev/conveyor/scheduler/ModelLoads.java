package dev.conveyor.scheduler;

import dev.conveyor.scheduler.admission.ModelLoad;
import dev.conveyor.scheduler.admission.ModelLoad.Speed;
import dev.conveyor.scheduler.batching.RequestQueue;
import org.jspecify.annotations.Nullable;

/**
 * Works out how busy a model is from what the scheduler holds. Stateless; called by the owner of
 * that state.
 *
 * <p>Where several models want a device, each runs as many batches at a time as its weight gives it
 * of the device's room: the fair share is what it can count on, though it may get more.
 */
final class ModelLoads {

  /** Taken for the cost of an item of a model that has never run. */
  private static final double UNKNOWN_ITEM_NS = 1_000_000;

  /** How much more than can be served within the objective may wait. */
  private static final double SPARE = 1.5;

  private ModelLoads() {}

  static ModelLoad of(ModelState model, boolean full, long marginNs, long targetNs, long nowNs) {
    return of(model, isServable(model), full, marginNs, targetNs, nowNs);
  }

  /** Returns when a request would be answered, as far as is known; 0 if nothing is. */
  static long latencyNs(ModelState model, InferenceRequest request, long nowNs) {
    ModelLoad load = of(model, false, false, 0, 0, nowNs);
    return load.isKnown() ? load.latencyNs(request.batchSize(), nowNs) : 0;
  }

  private static ModelLoad of(
      ModelState model,
      boolean isServable,
      boolean full,
      long marginNs,
      long targetNs,
      long nowNs) {
    RequestQueue queue = model.batcher.queue();
    long maxQueueBytes = model.plan.admission().maxQueueBytes();
    boolean mayRefuse = !isServable || full || maxQueueBytes > 0;
    return new ModelLoad(
        queue.requests(),
        queue.items(),
        queue.bytes(),
        model.running,
        full,
        maxQueueBytes,
        speed(model),
        mayRefuse ? freeAtNs(model, nowNs) : nowNs,
        marginNs,
        targetNs,
        model.plan.serviceLevel().latencyObjective().toNanos(),
        isServable);
  }

  /**
   * Returns true while a model with an objective holds no more than could be served within it, with
   * half as much to spare. Up to there nothing is refused by prediction: its batcher drops what has
   * no chance, from the head, which sustains a higher rate than turning away the tail does; and
   * under a load that can be served a prediction is wrong more often than the queue is too long.
   */
  static boolean isServable(ModelState model) {
    return model.batcher.queue().items() < model.servableItems();
  }

  /**
   * Returns the same for one more request: what is of lower priority does not stand in its way, and
   * is what will be dropped.
   */
  static boolean isServable(ModelState model, InferenceRequest request) {
    return model.batcher.queue().itemsBefore(request) < model.servableItems();
  }

  /** Returns what {@link #isServable} compares with; 0 without an objective or a known cost. */
  static double servableItems(ModelState model) {
    long objectiveNs = model.plan.serviceLevel().latencyObjective().toNanos();
    Placement known = objectiveNs == 0 ? null : known(model);
    if (known == null) {
      return 0;
    }
    int items = model.plan.largestBatch();
    double rounds = Math.max(1, (double) objectiveNs / Math.max(1, known.profile.predictNs(items)));
    return SPARE * rounds * items * model.parallelism();
  }

  /** Returns the device time of one item in a full batch, times the room that it takes. */
  static double itemNs(ModelState model) {
    Placement known = known(model);
    int items = model.plan.largestBatch();
    return known == null
        ? UNKNOWN_ITEM_NS
        : (double) known.profile.predictNs(items) / items * units(known);
  }

  private static Speed speed(ModelState model) {
    Placement known = known(model);
    int items = model.plan.largestBatch();
    if (known == null) {
      return new Speed(items, 1, 0, 0);
    }
    double parallel = 0;
    for (int i = 0; i < model.placements.size(); i++) {
      parallel += parallel(model.placements.get(i));
    }
    return new Speed(
        items,
        parallel > 0 ? parallel : 1,
        known.profile.predictNs(1),
        Math.max(1, known.profile.predictNs(items)));
  }

  private static @Nullable Placement known(ModelState model) {
    for (int i = 0; i < model.placements.size(); i++) {
      if (model.placements.get(i).profile.isKnown()) {
        return model.placements.get(i);
      }
    }
    return null;
  }

  /** Returns how many batches of the model this device can run at a time, by the model's share. */
  private static double parallel(Placement placement) {
    int instances = 0;
    for (InstanceState instance : placement.model.instances.values()) {
      instances += instance.placement == placement && !instance.leaving ? 1 : 0;
    }
    DeviceState device = placement.device;
    double weight = placement.model.plan.weight();
    double share = weight / Math.max(weight, device.demandBesides(placement) + weight);
    double room = share * device.spec.capacity() / units(placement);
    return Math.min(instances, room);
  }

  private static int units(Placement placement) {
    for (InstanceState instance : placement.model.instances.values()) {
      if (instance.placement == placement) {
        return instance.units;
      }
    }
    return 1;
  }

  /** Returns when an instance of the model is expected to take a batch. */
  private static long freeAtNs(ModelState model, long nowNs) {
    long earliestNs = Long.MAX_VALUE;
    for (int i = 0; i < model.placements.size(); i++) {
      Placement placement = model.placements.get(i);
      long untilNs;
      if (placement.free.isEmpty()) {
        untilNs = untilFirstEndNs(placement, nowNs);
      } else {
        boolean room = placement.nextInstance().units <= placement.device.room();
        untilNs = room ? 0 : placement.device.untilFirstEndNs(nowNs);
      }
      earliestNs = Math.min(earliestNs, untilNs);
    }
    return nowNs + (earliestNs == Long.MAX_VALUE ? 0 : earliestNs);
  }

  private static long untilFirstEndNs(Placement placement, long nowNs) {
    long earliestNs = Long.MAX_VALUE;
    for (InstanceState instance : placement.model.instances.values()) {
      if (instance.placement == placement && instance.running != null) {
        earliestNs = Math.min(earliestNs, instance.untilEndNs(nowNs));
      }
    }
    return earliestNs;
  }
}
