package dev.conveyor.scheduler;

import dev.conveyor.models.config.ServiceLevel.PriorityClass;
import dev.conveyor.scheduler.fairness.RunQueue;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * One device: what runs on it, and whose turn it is.
 *
 * <p>Not thread-safe: owned by the {@link Scheduler}.
 *
 * <p>Invariant: {@code used} is the sum of the units of its running batches, but for those whose
 * room was lent, and at most the capacity.
 */
final class DeviceState {

  final DeviceSpec spec;
  final int index;
  final RunQueue<Placement> runQueue = new RunQueue<>(PriorityClass.values().length);
  final List<Placement> placements = new ArrayList<>();

  private final DeviceTable table;
  private final Predicate<Placement> suits = this::suits;

  /** When {@link #choose} was asked last. */
  private long askedNs;

  /** Then something was not to run beside what runs. */
  private boolean apart;

  /** Units that are kept free since then for that reason. */
  private int keptFree;

  private long keptFreeSinceNs;

  /** Batches that run here now. */
  private final List<InstanceState> batches = new ArrayList<>();

  /** Sum of the weights of the models that have something to run or running here. */
  private double demand;

  /** Batches whose room was lent so far, and those of them that run still. */
  private long lendings;

  private int lentNow;

  /** What ended last, for which the caches of a CPU are warm. */
  private RunQueue.@Nullable Entry<Placement> warm;

  private int used;
  private int running;
  private long busyUnitNs;
  private long batchNs;
  private long changedNs;
  final DeviceOccupancy occupancy;
  final ShortBatches shortBatches;

  DeviceState(DeviceSpec spec, int index, DeviceTable table) {
    this.spec = spec;
    this.index = index;
    this.table = table;
    this.occupancy = new DeviceOccupancy(spec.capacity(), placements);
    this.shortBatches = new ShortBatches(spec.kind());
  }

  SchedulerSnapshot.Device snapshot(long nowNs) {
    return new SchedulerSnapshot.Device(spec.name(), spec.capacity(), used, busyUnitNs(nowNs));
  }

  double usedFraction() {
    return (double) used / spec.capacity();
  }

  long busyUnitNs(long nowNs) {
    return busyUnitNs + used * (nowNs - changedNs);
  }

  /** Returns the integral of the number of running batches over time. */
  long batchNs(long nowNs) {
    return batchNs + running * (nowNs - changedNs);
  }

  int room() {
    return spec.capacity() - used;
  }

  /** Returns the sum of the weights of the other models that want this device. */
  double demandBesides(Placement placement) {
    return Math.max(0, demand - placement.demand);
  }

  /** Takes note of what a model wants of this device: its weight, or nothing. */
  void setDemand(Placement placement, double weight) {
    demand += weight - placement.demand;
    placement.demand = weight;
  }

  /** Tells that a model may run a batch here, and when it must start. */
  void put(Placement placement, int level, double latestStart) {
    runQueue.put(placement.entry, level, placement.nextInstance().units, latestStart);
    markChanged();
  }

  /** Tells that a batch that may run here must start at another time. */
  void setLatestStart(Placement placement, double latestStart) {
    runQueue.setLatestStart(placement.entry, latestStart);
    markChanged();
  }

  /** Tells that a model may run nothing here now. */
  void remove(Placement placement) {
    if (placement.entry.isReady()) {
      runQueue.remove(placement.entry);
      markChanged();
    }
  }

  /** A full device runs nothing, whatever has changed; the end of a batch marks it. */
  private void markChanged() {
    if (used < spec.capacity()) {
      table.markChanged(index);
    }
  }

  void started(InstanceState instance) {
    batches.add(instance);
    occupancy.started(instance);
  }

  /** A model is not to run here any more. */
  void forget(Placement placement) {
    placements.remove(placement);
    occupancy.forget(placement.model.key);
    if (warm == placement.entry) {
      warm = null;
    }
  }

  void ended(InstanceState instance) {
    table.markChanged(index);
    batches.remove(instance);
    occupancy.ended(instance);
    boolean isWarm = spec.kind() == DeviceSpec.Kind.CPU && !instance.placement.model.removed;
    warm = isWarm ? instance.placement.entry : null;
  }

  /** Returns when the first of the running batches is expected to end. */
  long untilFirstEndNs(long nowNs) {
    long earliestNs = batches.isEmpty() ? 0 : Long.MAX_VALUE;
    for (int i = 0; i < batches.size(); i++) {
      earliestNs = Math.min(earliestNs, batches.get(i).untilEndNs(nowNs));
    }
    return earliestNs;
  }

  void take(int units, long nowNs) {
    chargeKeptFree(nowNs);
    busyUnitNs = busyUnitNs(nowNs);
    batchNs = batchNs(nowNs);
    changedNs = nowNs;
    used += units;
    running += Integer.signum(units);
  }

  /**
   * Charges what runs for the room that is kept free for its sake, up to now: a model whose batches
   * others keep away from has the device for itself, and fair shares are shares of the device.
   */
  void chargeKeptFree(long nowNs) {
    if (keptFree > 0) {
      double ns = (double) keptFree * (nowNs - keptFreeSinceNs) / Math.max(1, batches.size());
      for (int i = 0; i < batches.size(); i++) {
        batches.get(i).keptFreeNs += ns;
      }
      keptFree = 0;
    }
  }

  /** Notes that a batch runs on whose room is given back. */
  void lent() {
    lendings++;
    lentNow++;
  }

  /** Notes the end of such a batch. */
  void lentEnded() {
    lentNow--;
  }

  /** Returns a number that changes whenever room is lent, and is negative while some is. */
  long lendings() {
    return lentNow > 0 ? -1 - lendings : lendings;
  }

  void giveBack(int units, long nowNs) {
    take(-units, nowNs);
  }

  /** Returns true if a batch of so many units could run here that nothing queued would miss. */
  boolean hasSpareRoom(int units, long nowNs) {
    return room() >= units && runQueue.isEmpty() && occupancy.admitsOneMore(nowNs);
  }

  /** Returns true if nothing runs here, and no other model than this one has a batch ready. */
  boolean isWantedOnlyBy(Placement placement) {
    return batches.isEmpty() && lentNow == 0 && !runQueue.hasOthersThan(placement.entry);
  }

  /** Returns the model that is to run here next, or null. */
  @Nullable Placement choose(long nowNs) {
    int room = room();
    apart = false;
    askedNs = nowNs;
    RunQueue.Entry<Placement> next =
        room == 0 || runQueue.isEmpty() || !occupancy.admitsOneMore(nowNs)
            ? null
            : runQueue.choose(room, warm, suits);
    if (next != null) {
      return next.value();
    }
    if (!apart) {
      chargeKeptFree(nowNs); // who was kept apart has left
    } else if (keptFree == 0) {
      keptFree = room;
      keptFreeSinceNs = nowNs;
    }
    return null;
  }

  private boolean suits(Placement placement) {
    boolean does = occupancy.suits(placement, askedNs);
    apart |= !does;
    return does;
  }

  /**
   * Returns how long what waits here for others to end, though there is room, has to at most; 0 if
   * nothing does.
   */
  long heldBackNs(long nowNs) {
    if (room() == 0 || runQueue.isEmpty()) {
      return 0;
    }
    return apart ? occupancy.untilTurnEndsNs(nowNs) : Math.max(0, occupancy.untilOneMoreNs(nowNs));
  }
}
