package dev.conveyor.scheduler;

import dev.conveyor.scheduler.occupancy.ConcurrencyController;
import dev.conveyor.scheduler.occupancy.ConcurrencyController.Change;
import dev.conveyor.scheduler.occupancy.StretchTable;
import dev.conveyor.scheduler.profile.CostProfile;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.IntPredicate;

/**
 * How many batches run at once on one device: measures what they do to each other, and holds back
 * what does not pay.
 *
 * <p>Not thread-safe: owned by the {@link Scheduler}.
 *
 * <p>Begins with all that the device is configured for, because that is what was asked for, and
 * gives up what measurement shows to be worthless. Times of batches that ran alone are needed to
 * know: of such runs, or of the warm-up. A device is not made to run one at a time to learn them:
 * an execution that hangs would keep all others out.
 *
 * <p>Besides the number it minds the pairs: a batch does not start beside one with which it would
 * do less side by side than one after the other, if by waiting for that one's end it is done no
 * later itself. So nobody's batch ends later for it, by what was predicted, and a short batch does
 * not wait for a long one. What was seen of a pair is believed for half a minute; then they meet
 * again.
 */
final class DeviceOccupancy {

  private final int capacity;
  private final StretchTable stretches;
  private final ConcurrencyController controller;
  private final List<Placement> placements;
  private final List<InstanceState> active = new ArrayList<>();
  private final IntPredicate withinObjective = this::isWithinObjectives;
  private String lastChange = "";
  private boolean heldBack;

  /**
   * Begins with all of {@code capacity}.
   *
   * @param placements the models on the device, as they come and go
   */
  DeviceOccupancy(int capacity, List<Placement> placements) {
    this.capacity = capacity;
    this.placements = placements;
    this.stretches = new StretchTable(CostProfile.MAX_CONCURRENCY);
    this.controller = new ConcurrencyController(stretches, capacity, capacity);
  }

  /**
   * Returns false if another batch would be too many. One that takes longer than such batches do
   * counts no more, since it may never end.
   */
  boolean admitsOneMore(long nowNs) {
    if (active.size() < controller.limit() || untilOneMoreNs(nowNs) <= 0) {
      return true;
    }
    for (int i = 0; !heldBack && i < placements.size(); i++) {
      heldBack = placements.get(i).model.batcher.queue().requests() > 0;
    }
    return false;
  }

  /** Returns when another batch may run even if none ends; 0 or less if one may now. */
  long untilOneMoreNs(long nowNs) {
    int surplus = active.size() - controller.limit();
    long untilNs = 0;
    for (int i = 0; i < active.size() && surplus >= 0; i++) {
      long leftNs = active.get(i).turnLeftNs(nowNs);
      if (leftNs <= 0) {
        surplus--;
      } else {
        untilNs = untilNs == 0 ? leftNs : Math.min(untilNs, leftNs);
      }
    }
    return surplus < 0 ? 0 : untilNs;
  }

  /** Returns false if a batch is to wait for one that runs, though there is room. */
  boolean suits(Placement candidate, long nowNs) {
    for (int i = 0; i < active.size(); i++) {
      if (isBetterApart(candidate, active.get(i), nowNs)) {
        return false;
      }
    }
    return true;
  }

  private boolean isBetterApart(Placement candidate, InstanceState other, long nowNs) {
    String key = candidate.model.key;
    String beside = other.placement.model.key;
    if (!stretches.areBetterApart(key, beside, nowNs) || other.turnLeftNs(nowNs) <= 0) {
      return false; // of what takes longer than its turn nobody knows when it ends
    }
    int queued = candidate.model.batcher.queue().items();
    int items = Math.max(1, Math.min(queued, candidate.model.plan.maxBatchSize()));
    double lostNs = (stretches.stretch(key, beside) - 1) * candidate.aloneNs(items);
    return other.untilEndAloneNs(nowNs) <= lostNs;
  }

  /**
   * Returns how long until one of those that run is not waited for any more, even if it runs on.
   */
  long untilTurnEndsNs(long nowNs) {
    long untilNs = Long.MAX_VALUE;
    for (int i = 0; i < active.size(); i++) {
      long leftNs = active.get(i).turnLeftNs(nowNs);
      untilNs = leftNs > 0 ? Math.min(untilNs, leftNs) : untilNs;
    }
    return untilNs == Long.MAX_VALUE ? 0 : untilNs;
  }

  void started(InstanceState instance) {
    instance.meetsNobody();
    for (int i = 0; i < active.size(); i++) {
      instance.meets(active.get(i));
      active.get(i).meets(instance);
    }
    active.add(instance);
  }

  void ended(InstanceState instance) {
    active.remove(instance);
  }

  /**
   * Learns from a batch that ended well; called before {@link #ended} and before its profile learns
   * from it.
   *
   * @param concurrency batches on the device meanwhile, on average
   * @return how the number of batches at once has changed with it, in words; empty if it has not
   */
  String onOutcome(InstanceState instance, BatchOutcome outcome, int concurrency, long nowNs) {
    if (capacity == 1) {
      return ""; // nothing ever runs beside anything
    }
    Placement placement = instance.placement;
    long soloNs = placement.profile.soloNs(outcome.items());
    stretches.record(
        placement.model.key, instance.beside(), concurrency, outcome.busyNs(), soloNs, nowNs);
    Optional<Change> change = controller.onCompletion(heldBack, withinObjective, nowNs);
    heldBack = false;
    change.ifPresent(this::changed);
    return change.isPresent() ? lastChange : "";
  }

  /**
   * Returns false if with so many batches at once a model would miss its objective that it meets
   * with fewer. The smallest batch is looked at: the batcher makes them as small as it must. One
   * that is too slow even alone is no reason to hold the others back.
   */
  private boolean isWithinObjectives(int level) {
    for (int i = 0; i < placements.size(); i++) {
      Placement placement = placements.get(i);
      if (placement.misses(level) && !placement.misses(1)) {
        return false;
      }
    }
    return true;
  }

  private void changed(Change change) {
    lastChange = "%d instead of %d: %s".formatted(change.to(), change.from(), change.reason());
  }

  void forget(String key) {
    stretches.forget(key);
  }

  /** Returns what concerns one model here. */
  ModelProfile.Occupancy snapshot(String key, List<Placement> neighbours) {
    List<Double> byConcurrency = new ArrayList<>();
    for (int level = 1; level <= CostProfile.MAX_CONCURRENCY; level++) {
      byConcurrency.add(stretches.stretch(level));
    }
    Map<String, Double> beside = new TreeMap<>();
    for (Placement neighbour : neighbours) {
      String other = neighbour.model.key;
      double stretch = stretches.stretch(key, other);
      if (stretch > 0) {
        beside.put(other, stretch);
      }
    }
    return new ModelProfile.Occupancy(controller.limit(), byConcurrency, beside, lastChange);
  }
}
