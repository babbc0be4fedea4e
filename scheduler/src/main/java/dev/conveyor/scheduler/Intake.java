package dev.conveyor.scheduler;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.scheduler.batching.Rejection;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Where requests come into the queues, and where those leave that will not run.
 *
 * <p>Not thread-safe: owned by the {@link Scheduler}. To take a request looks at its model only;
 * what that may change is left to the next decision.
 *
 * <p>Invariant: a request that was taken is in its model's queue, in a batch, or in {@link
 * #rejected}.
 */
final class Intake {

  /** Lost with two instances, a request may be what they were lost by. */
  private static final int MOST_TRIES = 2;

  private final ModelTable models;
  private final LoadBoard loads;
  private final Agenda agenda;
  private List<Rejection> rejected = new ArrayList<>();
  private boolean closed;

  Intake(ModelTable models, LoadBoard loads, Agenda agenda) {
    this.models = models;
    this.loads = loads;
    this.agenda = agenda;
  }

  /** Takes nothing from now on. */
  void close() {
    closed = true;
  }

  /** Returns where what leaves a queue without having run is put, until {@link #takeRejected}. */
  List<Rejection> rejected() {
    return rejected;
  }

  /** Queues a request; returns null if it was taken, otherwise why not. */
  @Nullable InferenceException submit(InferenceRequest request, long nowNs) {
    ModelState model = models.find(request.model(), request.version());
    if (model == null) {
      return Refusals.unknown(request);
    }
    if (leaves(model, request)) {
      ModelState successor = models.successor(model);
      if (successor != null) {
        model = successor;
        request.moveTo(successor.version);
      }
    }
    InferenceException refusal = admit(model, request, nowNs);
    if (refusal != null) {
      model.refused++;
      return refusal;
    }
    if (model.batcher.isNews() || model.admission.sheds()) {
      if (model.batcher.isOnlyLonger() && !model.admission.sheds()) {
        agenda.touchLonger(model);
      } else {
        agenda.touch(model);
      }
    }
    model.startWaiting(nowNs);
    if (model.batcher.queue().requests() == 1) {
      for (int i = 0; i < model.placements.size(); i++) {
        Placement placement = model.placements.get(i);
        placement.device.runQueue.activate(placement.entry);
      }
    }
    return null;
  }

  private @Nullable InferenceException admit(
      ModelState model, InferenceRequest request, long nowNs) {
    if (closed) {
      return InferenceException.shuttingDown();
    }
    String lost = model.lostReason;
    if (leaves(model, request)) {
      return Refusals.notReady(model.plan, "unloading");
    } else if (lost != null) {
      return Refusals.lost(model, lost, nowNs);
    }
    loads.touch(model);
    InferenceException refusal = model.admission.check(request, nowNs);
    if (refusal != null) {
      return refusal;
    }
    request.notes().takenBy = model;
    model.admission.tag(request);
    refusal = offer(model, request, nowNs);
    if (refusal != null) {
      model.admission.dropped(request);
    }
    return refusal;
  }

  private @Nullable InferenceException offer(
      ModelState model, InferenceRequest request, long nowNs) {
    long excessBytes = model.admission.excessBytes(request);
    if (excessBytes > 0 && !displaceFor(model, request, excessBytes, nowNs)) {
      return model.admission.tooManyBytes(request, nowNs);
    }
    InferenceException refusal = model.batcher.offer(request, nowNs);
    if (refusal == null || refusal.code() != ErrorCode.QUEUE_FULL) {
      return refusal;
    }
    if (displaceFor(model, request, 0, nowNs)) {
      refusal = model.batcher.offer(request, nowNs);
    } else {
      model.admission.foundNoRoom(request);
    }
    return refusal == null ? null : Refusals.comeAgain(refusal, untilNextBatchNs(model, nowNs));
  }

  /** Returns false if nothing gives way to a request. */
  private boolean displaceFor(
      ModelState model, InferenceRequest request, long excessBytes, long nowNs) {
    List<InferenceRequest> displaced = model.batcher.displaceFor(request, excessBytes);
    for (InferenceRequest gone : displaced) {
      rejected.add(
          new Rejection(
              gone, Refusals.displaced(model.plan, gone, untilNextBatchNs(model, nowNs))));
    }
    return !displaced.isEmpty();
  }

  /** Whoever comes again finds room then, or later. */
  private static long untilNextBatchNs(ModelState model, long nowNs) {
    return Math.max(1, ModelLoads.freeAtNs(model, nowNs) - nowNs);
  }

  /** One that runs again was taken before: it goes to another instance that is leaving, too. */
  private static boolean leaves(ModelState model, InferenceRequest request) {
    return model.draining && !(request.isRepeated() && model.activeInstances() > 0);
  }

  /**
   * What nobody will run any more of a model that drains goes to what took its place, or is
   * rejected.
   */
  void handOverIfStranded(ModelState model, long nowNs) {
    if (!model.draining || model.activeInstances() > 0) {
      return;
    }
    if (models.successor(model) == null) {
      model.batcher.rejectAll(Refusals.notReady(model.plan, "unloading"), rejected);
    } else {
      for (InferenceRequest request : model.batcher.removeAll()) {
        model.admission.dropped(request);
        InferenceException refusal = submit(request, nowNs);
        if (refusal != null) {
          rejected.add(new Rejection(request, refusal));
        }
      }
      loads.touch(model);
    }
    agenda.touch(model);
  }

  /**
   * Returns null if a request of a lost instance may run once more, otherwise why not, in one word.
   */
  @Nullable String refuseRetry(InferenceRequest request, long nowNs) {
    ModelState model = models.find(request.model(), request.version());
    if (model == null) {
      return "unloaded";
    } else if (request.tries() >= MOST_TRIES) {
      return "repeated";
    } else if (model.plan.preservesOrdering()) {
      return "ordered";
    } else if (request.deadlineNs() != InferenceRequest.NO_DEADLINE
        && request.deadlineNs() - nowNs <= 0) {
      return "deadline";
    }
    return model.retries.tryTake(nowNs) ? null : "budget";
  }

  /** Hands over what was rejected since the last call, and takes back what it was charged. */
  List<Rejection> takeRejected() {
    if (rejected.isEmpty()) {
      return List.of();
    }
    List<Rejection> taken = rejected;
    rejected = new ArrayList<>();
    for (int i = 0; i < taken.size(); i++) {
      InferenceRequest request = taken.get(i).request();
      ModelState model = request.notes().takenBy;
      if (model != null && !model.removed) {
        model.admission.left(request);
        loads.touch(model);
      }
    }
    return taken;
  }
}
