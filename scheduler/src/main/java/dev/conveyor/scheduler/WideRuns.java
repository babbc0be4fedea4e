package dev.conveyor.scheduler;

import dev.conveyor.models.config.ServiceLevel;
import dev.conveyor.scheduler.profile.CostProfile;
import dev.conveyor.scheduler.profile.CostSample;
import dev.conveyor.scheduler.profile.ProfileSnapshot;
import java.util.List;
import java.util.Optional;

/**
 * One model's batches on one CPU that have more threads than usual, because nothing else wants the
 * cores: what they cost, and whether they are worth it.
 *
 * <p>Not thread-safe: owned by its {@link Placement}.
 *
 * <p>When an execution takes too long, and what may wait, goes by its usual batches: others may
 * want the cores at any time. But a batch that has all cores for itself when it starts keeps them,
 * so a deadline that only such a batch can meet is one that can be met.
 */
final class WideRuns {

  /**
   * Part of the usual time that a wide run may take at most; else the cores are better left free.
   */
  private static final double WORTH = 0.9;

  /** So many wide runs are needed to judge; the first two of a size count little. */
  private static final int LEARNING_RUNS = 4;

  /** Of batches that could be wide and are not, as they do not pay, one in so many is. */
  private static final int TRY_AGAIN = 64;

  /** Of costs that are not known: longer than anything. */
  static final long UNKNOWN = Long.MAX_VALUE;

  private final CostProfile costs = new CostProfile();
  private boolean seeded;
  private long runs;
  private int passed;

  /**
   * Returns whether a batch that is cut and starts now is to have more threads than usual: nothing
   * runs on the device, nothing waits for it, by what was measured it ends earlier, and no other
   * model there has promised to be faster than it ends.
   */
  static boolean suits(Placement placement, int items) {
    return placement.model.batcher.queue().requests() == 0
        && hasAllForItself(placement)
        && (placement.wide.pays(placement, items)
            || isTheOnlyChance(placement, items)
            || placement.wide.isToBeTried())
        && leavesOthersTime(placement, placement.wideNs(items));
  }

  /**
   * Returns the time that a batch rarely exceeds which takes all that is queued and starts now:
   * with more threads, where that is known to be less and {@link #suits} will say so.
   */
  static long lastNs(Placement placement, int items, int level) {
    return hasAllForItself(placement) && leavesOthersTime(placement, placement.wideNs(items))
        ? placement.wide.boundNs(placement, items, level)
        : placement.boundNs(items);
  }

  /** Returns the time that a batch rarely exceeds: with more threads, if that is known to pay. */
  long boundNs(Placement placement, int items, int level) {
    long usualNs = placement.boundNs(items);
    return pays(placement, items) ? Math.min(usualNs, costs.predictLevelNs(items, level)) : usualNs;
  }

  /** What is late as usual loses nothing by being tried with more threads. */
  private static boolean isTheOnlyChance(Placement placement, int items) {
    ServiceLevel level = placement.model.plan.serviceLevel();
    return level.hasObjective() && placement.boundNs(items) > level.latencyObjective().toNanos();
  }

  private static boolean hasAllForItself(Placement placement) {
    InstanceState instance = placement.free.peekLast();
    return instance != null
        && instance.idleUnits > instance.units
        && placement.device.isWantedOnlyBy(placement)
        && placement.profile.isKnown();
  }

  private static boolean leavesOthersTime(Placement placement, long wideNs) {
    for (Placement other : placement.device.placements) {
      ServiceLevel level = other.model.plan.serviceLevel();
      boolean promised = other != placement && level.hasObjective();
      if (promised && level.latencyObjective().toNanos() < wideNs) {
        return false;
      }
    }
    return true;
  }

  private boolean pays(Placement placement, int items) {
    return isLearned() && costs.predictNs(items) <= WORTH * placement.aloneNs(items);
  }

  private boolean isToBeTried() {
    passed = isLearned() ? (passed + 1) % TRY_AGAIN : 0;
    return passed == 0;
  }

  /** Returns whether enough have run to judge them. */
  boolean isLearned() {
    return seeded || runs >= LEARNING_RUNS;
  }

  /** Takes over one that ended well before the model was loaded, of enough to judge by. */
  void seed(CostSample sample) {
    seeded = true;
    costs.seed(sample.items(), sample.busyNs());
  }

  /** Returns the least that a batch takes if it gets more threads; the usual time if unknown. */
  long leastNs(Placement placement, int level) {
    long usualNs = placement.leastNs();
    return pays(placement, 1) ? Math.min(usualNs, costs.predictLevelNs(1, level)) : usualNs;
  }

  /** Returns the expected time of a batch with more threads, or {@link #UNKNOWN}. */
  long expectedNs(int items) {
    return costs.isKnown() ? costs.predictNs(items) : UNKNOWN;
  }

  /** Learns from one that ended well. */
  void ran(BatchOutcome outcome) {
    runs++;
    costs.record(outcome.items(), outcome.busyNs());
  }

  /**
   * Returns what was learned; empty if that is nothing.
   *
   * @param threads of each
   */
  Optional<ModelProfile.Wide> snapshot(int threads) {
    if (runs == 0 && !seeded) {
      return Optional.empty();
    }
    ProfileSnapshot learned = costs.snapshot();
    List<CostSample> samples =
        isLearned()
            ? learned.samples().stream().map(CostSample::widened).toList()
            : List.<CostSample>of();
    return Optional.of(new ModelProfile.Wide(threads, runs, learned.sizes(), samples));
  }
}
