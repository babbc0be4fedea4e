package dev.conveyor.scheduler;

import dev.conveyor.models.config.Hedging;
import dev.conveyor.scheduler.isolation.HedgeBudget;
import dev.conveyor.scheduler.profile.CostProfile;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Runs batches a second time that take longer than most: the hedged requests of Dean and Barroso,
 * "The Tail at Scale" (2013), for models that allow it. Whichever instance is first answers; what
 * the other one brings is thrown away.
 *
 * <p>Not thread-safe: owned by the {@link Scheduler}. A batch is hedged once, with all of its
 * requests that were not answered yet, and only into room that nothing that is queued could use.
 */
final class Hedges {

  /** An execution that is over sooner would be, before a second one has begun. */
  static final long LEAST_NS = 1_000_000;

  private final ModelTable models;
  private List<HedgeDecision> decisions = new ArrayList<>(0);

  Hedges(ModelTable models) {
    this.models = models;
  }

  /** A batch that is to run now, and where. */
  record Hedge(Placement placement, Assignment slow, List<InferenceRequest> requests) {}

  /** Returns a batch to run a second time now, or null. */
  @Nullable Hedge next(long nowNs) {
    for (ModelState model : models.hedging()) {
      for (InstanceState instance : model.instances.values()) {
        Assignment running = instance.running;
        if (running != null && untilDueNs(instance, running, nowNs) <= 0) {
          Hedge hedge = hedge(model, running, nowNs);
          if (hedge != null) {
            return hedge;
          }
        }
      }
    }
    return null;
  }

  /**
   * Returns how long until time alone makes a batch due, or {@link Scheduler#NEVER}; for one that
   * is due and finds no room, room is what it waits for.
   */
  long untilDueNs(long nowNs) {
    long earliestNs = Scheduler.NEVER;
    for (ModelState model : models.hedging()) {
      for (InstanceState instance : model.instances.values()) {
        Assignment running = instance.running;
        long untilNs = running == null ? Scheduler.NEVER : untilDueNs(instance, running, nowNs);
        if (untilNs > 0) {
          earliestNs = Math.min(earliestNs, untilNs);
        }
      }
    }
    return earliestNs;
  }

  /** Takes note that a second execution ended: if it is first, it has won. */
  void ended(Assignment assignment, long nowNs) {
    Assignment slow = assignment.hedgeOf;
    if (slow != null && slow.state.running == slow) {
      assignment.state.placement.model.admission.onAnswered(assignment.batch(), nowNs);
      // Nobody waits for these any more: how late they are says nothing.
      for (InferenceRequest request : slow.batch().requests()) {
        request.notes().predictedEndNs = 0;
      }
      decided(
          slow,
          HedgeDecision.Outcome.WON,
          "after %d ms, while the first execution goes on".formatted(ageMs(assignment, nowNs)));
    }
  }

  /** Returns what was decided since the last call. */
  List<HedgeDecision> takeDecisions() {
    if (decisions.isEmpty()) {
      return List.of();
    }
    List<HedgeDecision> taken = decisions;
    decisions = new ArrayList<>(0);
    return taken;
  }

  private static long untilDueNs(InstanceState instance, Assignment running, long nowNs) {
    CostProfile profile = instance.placement.profile;
    if (running.hedged || !profile.isKnown()) {
      return Scheduler.NEVER;
    }
    Hedging hedging = instance.placement.model.plan.hedging();
    Batch batch = running.batch();
    long afterNs = profile.predictNs(batch.items(), hedging.afterPercentile() / 100);
    return Math.max(LEAST_NS, afterNs) - batch.clock().ageNs(nowNs);
  }

  private @Nullable Hedge hedge(ModelState model, Assignment slow, long nowNs) {
    Placement placement = roomFor(model, nowNs);
    if (placement == null) {
      return null;
    }
    slow.hedged = true;
    HedgeBudget budget = model.hedges;
    List<InferenceRequest> unanswered = new ArrayList<>();
    for (InferenceRequest request : slow.batch().requests()) {
      // What came back from a lost instance may be what it was lost by: it runs alone, and once.
      if (!request.replyTo().isDone() && !request.isRepeated()) {
        unanswered.add(request);
      }
    }
    if (unanswered.isEmpty()) {
      return null;
    } else if (!budget.tryTake(unanswered.size())) {
      decided(slow, HedgeDecision.Outcome.REFUSED, running(slow, nowNs));
      return null;
    }
    List<InferenceRequest> copies = new ArrayList<>(unanswered.size());
    for (InferenceRequest request : unanswered) {
      InferenceRequest copy = request.hedge();
      if (copy != null) {
        copy.notes().predictedEndNs = request.notes().predictedEndNs;
        copies.add(copy);
      }
    }
    budget.giveBack(unanswered.size() - copies.size());
    if (copies.isEmpty()) {
      return null;
    }
    decided(slow, HedgeDecision.Outcome.HEDGED, running(slow, nowNs));
    return new Hedge(placement, slow, copies);
  }

  /** Returns a place with a free instance and room that nothing queued could use, or null. */
  private @Nullable Placement roomFor(ModelState model, long nowNs) {
    for (Placement placement : model.placements) {
      if (!placement.free.isEmpty()
          && placement.device.hasSpareRoom(placement.nextInstance().units, nowNs)
          && !isWaitedFor(placement.device)) {
        return placement;
      }
    }
    return null;
  }

  /** Requests that gather for a batch are in no run queue, and want the room soon. */
  private boolean isWaitedFor(DeviceState device) {
    for (ModelState model : models.all()) {
      if (model.batcher.queue().requests() > 0) {
        for (Placement placement : model.placements) {
          if (placement.device == device) {
            return true;
          }
        }
      }
    }
    return false;
  }

  private void decided(Assignment slow, HedgeDecision.Outcome outcome, String detail) {
    decisions.add(new HedgeDecision(slow.instance().key(), outcome, detail));
  }

  private static String running(Assignment slow, long nowNs) {
    return "a batch of %d requests runs for %d ms"
        .formatted(slow.batch().requests().size(), ageMs(slow, nowNs));
  }

  private static long ageMs(Assignment assignment, long nowNs) {
    return assignment.batch().clock().ageNs(nowNs) / 1_000_000;
  }
}
