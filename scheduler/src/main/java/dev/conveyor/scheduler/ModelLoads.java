package dev.conveyor.scheduler;

import dev.conveyor.scheduler.admission.ModelLoad;
import dev.conveyor.scheduler.admission.ModelLoad.Speed;
import dev.conveyor.scheduler.admission.PriorityLevels;
import dev.conveyor.scheduler.batching.QueueCounts;
import dev.conveyor.scheduler.batching.RequestQueue;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Works out how busy a model is from what the scheduler holds. Stateless; called by the owner of
 * that state.
 *
 * <p>Where several models want a device, each runs as many batches at a time as its weight gives it
 * of the device's room: the fair share is what it can count on, though it may get more.
 *
 * <p>Of a model on several devices the rates add up. A batch is taken to run where it is fastest:
 * where it waits, the device that is free first is mostly that one, and what is predicted too long
 * turns requests away that could be answered.
 */
final class ModelLoads {

  /** Taken for the cost of an item of a model that has never run. */
  private static final double UNKNOWN_ITEM_NS = 1_000_000;

  /** How much more than can be served within the objective may wait. */
  private static final double SPARE = 1.5;

  private ModelLoads() {}

  /**
   * Returns the load as anybody may see it.
   *
   * @param takesMore whether a queue that is full makes room for some
   * @param room for which of the tenants
   */
  static ModelLoad published(
      ModelState model,
      boolean takesMore,
      ModelLoad.TenantRoom room,
      long marginNs,
      long targetNs,
      long nowNs) {
    RequestQueue queue = model.batcher.queue();
    return of(
        model,
        queue.counts().lowestLevel(),
        isServable(model),
        queue.isFull() && !takesMore,
        marginNs,
        targetNs,
        levels(model, takesMore),
        room,
        nowNs);
  }

  /** Returns the load as a request sees it that is about to be queued. */
  static ModelLoad of(
      ModelState model, InferenceRequest request, long marginNs, long targetNs, long nowNs) {
    int level = model.batcher.queue().counts().level(request);
    boolean isServable = isServable(model, level);
    return of(model, level, isServable, marginNs, targetNs, nowNs);
  }

  /** Returns when a request would be answered, as far as is known; 0 if nothing is. */
  static long latencyNs(ModelState model, InferenceRequest request, long nowNs) {
    int level = model.batcher.queue().counts().level(request);
    ModelLoad load = of(model, level, false, 0, 0, nowNs);
    return load.isKnown() ? load.latencyNs(request.batchSize(), nowNs) : 0;
  }

  private static ModelLoad of(
      ModelState model, int level, boolean isServable, long marginNs, long targetNs, long nowNs) {
    return of(
        model,
        level,
        isServable,
        false,
        marginNs,
        targetNs,
        PriorityLevels.NONE,
        ModelLoad.TenantRoom.NONE,
        nowNs);
  }

  private static PriorityLevels levels(ModelState model, boolean takesMore) {
    RequestQueue queue = model.batcher.queue();
    QueueCounts counts = queue.counts();
    if (counts.lowestLevel() == 1) {
      return PriorityLevels.NONE;
    }
    List<PriorityLevels.Waiting> upTo = new ArrayList<>(counts.lowestLevel());
    for (int level = 1; level <= counts.lowestLevel(); level++) {
      upTo.add(
          new PriorityLevels.Waiting(
              counts.requestsUpTo(level),
              counts.itemsUpTo(level),
              counts.bytesUpTo(level),
              queue.isFull(level) && !takesMore,
              isServable(model, level)));
    }
    return new PriorityLevels(counts.defaultLevel(), upTo);
  }

  private static ModelLoad of(
      ModelState model,
      int level,
      boolean isServable,
      boolean full,
      long marginNs,
      long targetNs,
      PriorityLevels levels,
      ModelLoad.TenantRoom room,
      long nowNs) {
    QueueCounts counts = model.batcher.queue().counts();
    long maxQueueBytes = model.plan.admission().maxQueueBytes();
    boolean mayRefuse = !isServable || full || maxQueueBytes > 0 || !levels.upTo().isEmpty();
    return new ModelLoad(
        counts.requestsUpTo(level),
        counts.itemsUpTo(level),
        counts.bytesUpTo(level),
        model.running,
        full,
        maxQueueBytes,
        speed(model),
        mayRefuse ? freeAtNs(model, nowNs) : nowNs,
        marginNs,
        targetNs,
        model.plan.serviceLevel().latencyObjective().toNanos(),
        isServable,
        levels,
        room);
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
   * Returns the same for one more request of a level: what is of lower priority does not stand in
   * its way, and is what will be dropped.
   */
  static boolean isServable(ModelState model, int level) {
    return model.batcher.queue().counts().itemsUpTo(level) < model.servableItems();
  }

  /** Returns what {@link #isServable} compares with; 0 without an objective or a known cost. */
  static double servableItems(ModelState model) {
    long objectiveNs = model.plan.serviceLevel().latencyObjective().toNanos();
    Placement fastest = objectiveNs == 0 ? null : fastest(model);
    if (fastest == null) {
      return 0;
    }
    double batches = 0;
    for (int i = 0; i < model.placements.size(); i++) {
      Placement place = model.placements.get(i);
      long fullNs = fullNs(place.profile.isKnown() ? place : fastest);
      batches += place.parallelism * Math.max(1, (double) objectiveNs / fullNs);
    }
    return SPARE
        * model.plan.largestBatch()
        * (batches > 0 ? batches : Math.max(1, (double) objectiveNs / fullNs(fastest)));
  }

  private static long fullNs(Placement placement) {
    return Math.max(1, placement.profile.predictNs(placement.model.plan.largestBatch()));
  }

  /** Returns the device time of one item in a full batch, times the room that it takes. */
  static double itemNs(ModelState model) {
    Placement fastest = fastest(model);
    return fastest == null
        ? UNKNOWN_ITEM_NS
        : (double) fullNs(fastest) / model.plan.largestBatch() * units(fastest);
  }

  private static Speed speed(ModelState model) {
    Placement fastest = fastest(model);
    int items = model.plan.largestBatch();
    if (fastest == null) {
      return new Speed(items, 1, 0, 0);
    }
    long fullNs = fullNs(fastest);
    double parallel = 0;
    double mostParallel = 0;
    long oneNs = fastest.profile.predictNs(1);
    long leastNs = Math.min(oneNs, fullNs);
    for (int i = 0; i < model.placements.size(); i++) {
      Placement place = model.placements.get(i);
      double slower = place.profile.isKnown() ? (double) fullNs(place) / fullNs : 1;
      parallel += parallel(place) / slower;
      mostParallel += place.parallelism / slower;
      leastNs = Math.min(leastNs, place.wide.expectedNs(1));
    }
    return new Speed(
        items,
        parallel > 0 ? parallel : 1,
        oneNs,
        fullNs,
        leastNs,
        Math.max(1, Math.max(parallel, mostParallel)));
  }

  /** Returns the place where full batches take least, of those whose costs are known; or null. */
  private static @Nullable Placement fastest(ModelState model) {
    Placement fastest = null;
    for (int i = 0; i < model.placements.size(); i++) {
      Placement place = model.placements.get(i);
      if (place.profile.isKnown() && (fastest == null || isBetter(place, fastest))) {
        fastest = place;
      }
    }
    return fastest;
  }

  /** A place without an instance counts only if there is no other. */
  private static boolean isBetter(Placement place, Placement other) {
    boolean serves = place.parallelism > 0;
    return serves == other.parallelism > 0 ? fullNs(place) < fullNs(other) : serves;
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
  static long freeAtNs(ModelState model, long nowNs) {
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
