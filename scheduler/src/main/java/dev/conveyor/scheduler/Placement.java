package dev.conveyor.scheduler;

import dev.conveyor.models.config.ServiceLevel;
import dev.conveyor.scheduler.batching.BatchCosts;
import dev.conveyor.scheduler.fairness.RunQueue;
import dev.conveyor.scheduler.profile.CostProfile;
import dev.conveyor.scheduler.profile.CostSample;
import java.util.ArrayDeque;
import java.util.List;

/**
 * One model on one device: its free instances there, its place in the device's run queue, and what
 * its batches cost there.
 *
 * <p>Not thread-safe: owned by the {@link Scheduler}.
 */
final class Placement implements BatchCosts {

  private static final double SPARE = 1.1;
  private static final double TAIL = 0.99;
  private static final long STALE_NS = 1_000_000_000;

  final ModelState model;
  final DeviceState device;
  final RunQueue.Entry<Placement> entry;
  final ArrayDeque<InstanceState> free = new ArrayDeque<>();
  int parallelism;

  /** What a batch takes of the device that has all of it for itself. */
  int idleUnits;

  /** What it adds to its device's demand now. */
  double demand;

  CostProfile profile = new CostProfile();
  WideRuns wide = new WideRuns();
  ModelProfile.Seed seed = ModelProfile.Seed.NONE;

  /** Larger batches are hardly faster, only longer. */
  int smallestFast = Integer.MAX_VALUE;

  private int boundLevel;

  /** Executions that were cut since the last that ended well. */
  int cuts;

  private boolean hasRun;
  private long ranNs;
  private boolean costsChanged = true;
  private long leastNs;

  Placement(ModelState model, DeviceState device) {
    this.model = model;
    this.device = device;
    this.entry = device.runQueue.add(this, model.plan.weight());
    this.boundLevel = boundLevel(model.plan);
  }

  private static int boundLevel(ModelPlan plan) {
    return CostProfile.levelOf(plan.serviceLevel().latencyPercentile() / 100);
  }

  /** Takes over the plan of its model; what batches cost is learned anew. */
  void replan() {
    entry.flow().setWeight(model.plan.weight());
    boundLevel = boundLevel(model.plan);
    profile = new CostProfile();
    wide = new WideRuns();
    seed = ModelProfile.Seed.NONE;
    smallestFast = Integer.MAX_VALUE;
    cuts = 0;
    costsChanged();
  }

  /** Takes over what batches took before the model was loaded. */
  void seed(SchedulerCommand.SeedProfile command) {
    seed = command.seed();
    List<CostSample> usual = command.samples().stream().filter(s -> !s.wide()).toList();
    smallestFast = ShortBatches.smallestFast(usual);
    usual.forEach(sample -> profile.seed(sample.items(), sample.busyNs()));
    command.samples().stream().filter(CostSample::wide).forEach(wide::seed);
    costsChanged();
  }

  /** Takes the time that as many batches stay under as are to meet the objective. */
  @Override
  public long boundNs(int items) {
    return profile.predictLevelNs(items, boundLevel);
  }

  @Override
  public long lastNs(int items) {
    return WideRuns.lastNs(this, items, boundLevel);
  }

  /** Returns the time of the smallest batch, with more threads if that is less. */
  long leastEverNs() {
    return wide.leastNs(this, boundLevel);
  }

  /**
   * Returns true if its smallest batch takes too long for its objective, predicted at the 99th
   * percentile with a tenth to spare, with so many batches on the device.
   */
  boolean misses(int concurrency) {
    ServiceLevel level = model.plan.serviceLevel();
    return level.hasObjective()
        && SPARE * profile.predictNs(1, TAIL, concurrency) > level.latencyObjective().toNanos();
  }

  /**
   * Learns from a batch that ended well.
   *
   * @param concurrency batches on the device meanwhile, on average
   */
  void ran(BatchOutcome outcome, int concurrency, long nowNs) {
    boolean tooPessimistic = model.batcher.ran(outcome.busyNs(), boundNs(outcome.items()));
    hasRun = !tooPessimistic;
    ranNs = nowNs;
    cuts = 0;
    profile.record(outcome.items(), outcome.busyNs(), concurrency);
    costsChanged();
  }

  /** Learns from a batch that ended well and had more threads than usual. */
  void ranWide(BatchOutcome outcome, long nowNs) {
    long expectedNs = wide.boundNs(this, outcome.items(), boundLevel);
    boolean tooPessimistic = model.batcher.ran(outcome.busyNs(), expectedNs);
    hasRun = !tooPessimistic;
    ranNs = nowNs;
    cuts = 0;
    wide.ran(outcome);
    costsChanged();
  }

  @Override
  public boolean isStale(long nowNs) {
    return !hasRun || nowNs - ranNs >= STALE_NS;
  }

  /** Takes note that a run was learned from. */
  void costsChanged() {
    costsChanged = true;
    model.placesChanged = true;
  }

  /** Returns the time of the smallest batch. */
  long leastNs() {
    if (costsChanged) {
      costsChanged = false;
      leastNs = boundNs(1);
    }
    return leastNs;
  }

  /**
   * Returns the time of a batch that runs alone; what it takes among others if that is not known.
   */
  long aloneNs(int items) {
    long soloNs = profile.soloNs(items);
    return soloNs > 0 ? soloNs : profile.predictNs(items);
  }

  /**
   * Returns the time of a batch with more threads than usual; the usual one until that is known.
   */
  long wideNs(int items) {
    long expectedNs = wide.expectedNs(items);
    return expectedNs == WideRuns.UNKNOWN ? aloneNs(items) : expectedNs;
  }

  /** Works out how many batches could run here at once if nothing else did. */
  void countInstances() {
    int widest = 1;
    int instances = 0;
    for (InstanceState instance : model.instances.values()) {
      if (instance.placement == this && !instance.leaving) {
        instances++;
        widest = Math.max(widest, instance.units);
        idleUnits = Math.max(idleUnits, instance.idleUnits);
      }
    }
    parallelism = Math.min(instances, device.spec.capacity() / widest);
  }

  /** Returns the instance that is to run next: the one used last, whose caches are warm. */
  InstanceState nextInstance() {
    return free.getLast();
  }
}
