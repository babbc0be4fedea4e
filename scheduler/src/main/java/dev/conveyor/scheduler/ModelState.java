package dev.conveyor.scheduler;

import dev.conveyor.models.InferenceException;
import dev.conveyor.models.config.Tenants;
import dev.conveyor.scheduler.batching.Batcher;
import dev.conveyor.scheduler.batching.Rejection;
import dev.conveyor.scheduler.fairness.IndexedHeap;
import dev.conveyor.scheduler.isolation.HedgeBudget;
import dev.conveyor.scheduler.isolation.RetryBudget;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * One version of a model: its queue, and where it runs.
 *
 * <p>Not thread-safe: owned by the {@link Scheduler}.
 */
final class ModelState {

  final List<Placement> placements = new ArrayList<>(2);

  /** By index, also those that leave once their batch is done. */
  final Map<Integer, InstanceState> instances = new HashMap<>();

  final ModelAdmission admission;

  final AnswerOrder order;

  /** Name and version, which no new plan changes. */
  final String key;

  final String version;

  /** Another version of the same model, which was there before this one. */
  @Nullable ModelState olderVersion;

  ModelPlan plan;
  Batcher batcher;
  int running;

  /** The scheduler has forgotten it; requests and batches may still refer to it. */
  boolean removed;

  /** Takes no more requests; what is queued still runs. */
  boolean draining;

  /** Version that gets what this one has no instance for, once it drains; empty for none. */
  String successor = "";

  /** Instances came or went, or costs were learned. */
  boolean placesChanged = true;

  /** Something happened since its load was published. */
  boolean loadChanged;

  /** Why nothing will run until another instance reports; null if something may. */
  @Nullable String lostReason;

  /** When another instance begins to come up, while there is such a reason. */
  long retryAtNs;

  /** How many requests of lost instances may run again. */
  final RetryBudget retries = new RetryBudget();

  /** How many requests that take long may run a second time. */
  HedgeBudget hedges;

  long refused;

  /** Below this part of what made a model overloaded, it no longer is. */
  private static final double OVERLOAD_ENDS = 0.5;

  long dispatchedRequests;
  long dispatchedBatches;

  /** Something happened that may change what can run. */
  boolean touched;

  /** Its queue has become longer, and nothing else has happened to it. */
  boolean longer;

  final IndexedHeap.Node<ModelState> wakeUp = new IndexedHeap.Node<>(this);

  private long ageingNs;
  private int parallelism;
  private double servableItems;
  private boolean waiting;
  private long waitingSinceNs;
  private long lastArrivalNs;
  private boolean overloaded;
  private long expiredBefore;
  private long cancelledBefore;

  /**
   * Creates a model without instances.
   *
   * @param turns where {@link AnswerTurn}s are put that have come
   */
  ModelState(ModelPlan plan, Tenants tenants, List<AnswerTurn> turns) {
    this.plan = plan;
    this.key = plan.key();
    this.version = plan.version();
    this.ageingNs = plan.serviceLevel().ageing().toNanos();
    this.batcher = plan.newBatcher();
    this.hedges = hedgeBudget(plan);
    this.admission = new ModelAdmission(this, tenants);
    this.batcher.queue().tellOfAgeing(admission::aged);
    this.order = new AnswerOrder(turns);
  }

  /** Returns true if a batch may run now, as far as that is the model's own affair. */
  boolean mayRun() {
    return batcher.queue().requests() > 0
        && !(plan.preservesOrdering() && order.isFull(instances.size()));
  }

  /**
   * Returns the class it competes in, 0 the highest: its own, or a higher one if it has had
   * something to run for long and none of it ran.
   */
  int priorityClass(long nowNs) {
    int own = plan.serviceLevel().priorityClass().rank();
    return (int) Math.max(0, own - waitedNs(nowNs) / ageingNs);
  }

  /** Returns how long until {@link #priorityClass} is higher, if it ever is. */
  long untilOlderNs(long nowNs) {
    return priorityClass(nowNs) == 0 ? Batcher.NEVER : ageingNs - waitedNs(nowNs) % ageingNs;
  }

  private long waitedNs(long nowNs) {
    return waiting ? Math.max(0, nowNs - waitingSinceNs) : 0;
  }

  /**
   * Returns true from when more waits than can be served within the objective until a good part of
   * it is gone, or while front ends keep requests out: the model is late by its own doing.
   */
  boolean isOverloaded(long nowNs) {
    double most = servableItems();
    overloaded =
        most > 0
            && (batcher.queue().items() >= (overloaded ? OVERLOAD_ENDS * most : most)
                || admission.hasRefusedLately(nowNs));
    return overloaded;
  }

  /**
   * Notes that a request was queued; until something did run, the first one is when waiting began.
   * Where the queue was empty and nothing had come for the ageing time, what was never run, being
   * cancelled or too late, is forgotten.
   */
  void startWaiting(long nowNs) {
    boolean isAlone = batcher.queue().requests() == 1;
    if (!waiting || (isAlone && nowNs - lastArrivalNs >= ageingNs)) {
      waiting = true;
      waitingSinceNs = nowNs;
    }
    lastArrivalNs = nowNs;
  }

  /** Notes that a batch runs. */
  void dispatched(int requests, long nowNs) {
    running++;
    dispatchedBatches++;
    dispatchedRequests += requests;
    hedges.onRun(requests);
    waiting = batcher.queue().requests() > 0;
    waitingSinceNs = nowNs;
  }

  /** Takes note that instances came or went. */
  void countInstances() {
    placesChanged = true;
    for (Placement placement : placements) {
      placement.countInstances();
    }
  }

  /** Tells the batcher about the places where the model runs. */
  void updatePlaces() {
    if (!placesChanged) {
      return;
    }
    placesChanged = false;
    parallelism = 0;
    long leastNs = Long.MAX_VALUE;
    long leastEverNs = Long.MAX_VALUE;
    for (int i = 0; i < placements.size(); i++) {
      Placement placement = placements.get(i);
      parallelism += placement.parallelism;
      leastNs = Math.min(leastNs, placement.leastNs());
      leastEverNs = Math.min(leastEverNs, placement.leastEverNs());
    }
    servableItems = ModelLoads.servableItems(this);
    boolean isNowhere = placements.isEmpty();
    batcher.setPlaces(
        Math.max(1, parallelism), isNowhere ? 0 : leastNs, isNowhere ? 0 : leastEverNs);
  }

  /** Returns how many items may be queued before requests are refused by prediction. */
  double servableItems() {
    updatePlaces();
    return servableItems;
  }

  /** Returns how many batches could run at once if no other model ran any; 1 at least. */
  int parallelism() {
    return Math.max(1, parallelism);
  }

  /** Returns the number of instances that still get batches. */
  int activeInstances() {
    int active = 0;
    for (InstanceState instance : instances.values()) {
      active += instance.leaving ? 0 : 1;
    }
    return active;
  }

  @Nullable Placement placementOn(DeviceState device) {
    for (Placement placement : placements) {
      if (placement.device == device) {
        return placement;
      }
    }
    return null;
  }

  /** Returns its place on a device, which is made if there is none. */
  Placement placeOn(DeviceState device) {
    Placement placement = placementOn(device);
    if (placement == null) {
      placement = new Placement(this, device);
      placements.add(placement);
      device.placements.add(placement);
    }
    return placement;
  }

  /** Replaces the plan; what is queued moves over, except what the new plan does not admit. */
  void replan(ModelPlan next, long nowNs, List<Rejection> rejected) {
    List<InferenceRequest> queued = batcher.removeAll();
    expiredBefore += batcher.queue().expired();
    cancelledBefore += batcher.queue().cancelled();
    placesChanged = true;
    plan = next;
    ageingNs = next.serviceLevel().ageing().toNanos();
    batcher = next.newBatcher();
    batcher.queue().tellOfAgeing(admission::aged);
    hedges = hedgeBudget(next);
    admission.replan(queued);
    for (InferenceRequest request : queued) {
      InferenceException refusal = batcher.offer(request, nowNs);
      if (refusal != null) {
        rejected.add(new Rejection(request, refusal));
      }
    }
    for (Placement placement : placements) {
      placement.replan();
    }
  }

  private static HedgeBudget hedgeBudget(ModelPlan plan) {
    return new HedgeBudget(plan.hedging().maxShare(), plan.largestBatch());
  }

  List<ModelProfile.OnDevice> profiles() {
    return placements.stream()
        .map(
            placement ->
                new ModelProfile.OnDevice(
                    placement.device.spec.name(),
                    placement.seed,
                    placement.profile.snapshot(),
                    placement.device.occupancy.snapshot(key, placement.device.placements),
                    placement.wide.snapshot(placement.idleUnits)))
        .toList();
  }

  SchedulerSnapshot.Model snapshot() {
    return new SchedulerSnapshot.Model(
        key,
        batcher.queue().requests(),
        batcher.queue().items(),
        running,
        activeInstances(),
        draining,
        dispatchedRequests,
        dispatchedBatches,
        refused,
        expiredBefore + batcher.queue().expired(),
        cancelledBefore + batcher.queue().cancelled());
  }
}
