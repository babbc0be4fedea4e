package dev.conveyor.scheduler;

import dev.conveyor.models.InferenceException;
import dev.conveyor.models.config.Tenants;
import dev.conveyor.scheduler.batching.DynamicBatcher;
import dev.conveyor.scheduler.batching.Rejection;
import dev.conveyor.scheduler.isolation.RetryBudget;
import dev.conveyor.scheduler.profile.CostProfile;
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

  ModelPlan plan;
  DynamicBatcher batcher;
  int running;

  /** Takes no more requests; what is queued still runs. */
  boolean draining;

  /** Something happened since its load was published. */
  boolean loadChanged;

  /** Why nothing will run until another instance reports; null if something may. */
  @Nullable String lostReason;

  /** How many requests of lost instances may run again. */
  final RetryBudget retries = new RetryBudget();

  long refused;
  long dispatchedRequests;
  long dispatchedBatches;
  private long expiredBefore;
  private long cancelledBefore;

  ModelState(ModelPlan plan, Tenants tenants) {
    this.plan = plan;
    this.batcher = newBatcher(plan);
    this.admission = new ModelAdmission(this, tenants);
  }

  /**
   * Returns true if there is a batch that may run now. With preserved ordering one batch runs at a
   * time: answers of two instances could overtake each other.
   */
  boolean isReady(long nowNs) {
    return (running == 0 || !plan.preservesOrdering()) && batcher.isReady(nowNs);
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

  boolean hasFreeInstance() {
    for (int i = 0; i < placements.size(); i++) {
      if (!placements.get(i).free.isEmpty()) {
        return true;
      }
    }
    return false;
  }

  /** Replaces the plan; what is queued moves over, except what the new plan does not admit. */
  void replan(ModelPlan next, long nowNs, List<Rejection> rejected) {
    List<InferenceRequest> queued = batcher.removeAll();
    expiredBefore += batcher.queue().expired();
    cancelledBefore += batcher.queue().cancelled();
    plan = next;
    batcher = newBatcher(next);
    admission.replan();
    for (InferenceRequest request : queued) {
      InferenceException refusal = batcher.offer(request, nowNs);
      if (refusal != null) {
        rejected.add(new Rejection(request, refusal));
      }
    }
    for (Placement placement : placements) {
      placement.flow.setWeight(next.weight());
      placement.profile = new CostProfile();
      placement.seed = ModelProfile.Seed.NONE;
    }
  }

  List<ModelProfile.OnDevice> profiles() {
    return placements.stream()
        .map(
            placement ->
                new ModelProfile.OnDevice(
                    placement.device.spec.name(), placement.seed, placement.profile.snapshot()))
        .toList();
  }

  SchedulerSnapshot.Model snapshot() {
    return new SchedulerSnapshot.Model(
        plan.key(),
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

  private static DynamicBatcher newBatcher(ModelPlan plan) {
    return new DynamicBatcher(
        plan.name(), plan.maxBatchSize(), plan.dynamicBatching(), plan.defaultMaxQueueSize());
  }
}
