package dev.conveyor.scheduler;

import dev.conveyor.models.InferenceException;
import dev.conveyor.models.config.Tenants;
import dev.conveyor.scheduler.admission.LoadCell;
import dev.conveyor.scheduler.batching.Batcher;
import dev.conveyor.scheduler.batching.Rejection;
import dev.conveyor.scheduler.decisions.Decision;
import dev.conveyor.scheduler.decisions.DecisionLog;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Decides what runs where and when: several models, each with several instances, on several
 * devices.
 *
 * <p>Not thread-safe: owned by the {@link SchedulerVerticle}, or by whoever simulates it. Reads no
 * clock, sends nothing, answers nobody. Requests, outcomes and the time come in; {@link #poll}
 * returns what to run, {@link #takeRejected} what to fail, {@link #wakeUpInNs} when to ask again.
 *
 * <p>Binding is late: a batch is cut only when an instance is free and its device has room, so that
 * it is as full as it can be. The device with the smallest part in use goes first; on it, the model
 * that its {@link dev.conveyor.scheduler.fairness.RunQueue} says: strict classes with ageing, fair
 * shares of device time, deadlines inside the fairness window. What is cut from that model's queue
 * is the {@link Batcher}'s decision. Cores of a CPU are not oversubscribed: the threads of the
 * running batches add up to at most its capacity, but for batches that take far longer than their
 * profile explains, whose room others have until they end or are cut.
 *
 * <p>Every request that was taken comes out exactly once: in an {@link Assignment} or in a {@link
 * Rejection}. Taking a request looks at its model only; a decision looks at what has changed since
 * the last one ({@link Agenda}) and takes the first of the run queues.
 */
public final class Scheduler {

  /** What {@link #wakeUpInNs} returns if only an event can change anything. */
  public static final long NEVER = Batcher.NEVER;

  private static final int LOGGED_DECISIONS = 4096;

  private final DeviceTable devices;
  private final ModelTable models = new ModelTable();
  private final Tenants tenants;
  private final LoadBoard loads = new LoadBoard();
  private final DecisionLog log = new DecisionLog(LOGGED_DECISIONS);
  private final Agenda agenda = new Agenda(log);
  private final Intake intake = new Intake(models, loads, agenda);
  private final Dispatch dispatch = new Dispatch(loads, agenda, log);
  private final Instances instances;
  private final Hedges hedges = new Hedges(models);
  private final Executions executions = new Executions(models);
  private final List<AnswerTurn> turns = new ArrayList<>();
  private long nextBatchId;

  /** Creates a scheduler without models; among equally used devices the first goes first. */
  public Scheduler(List<DeviceSpec> devices) {
    this(devices, Tenants.DEFAULT);
  }

  /** Creates a scheduler whose models are shared by tenants. */
  public Scheduler(List<DeviceSpec> devices, Tenants tenants) {
    this.tenants = tenants;
    this.devices = new DeviceTable(devices);
    this.instances = new Instances(models, this.devices, loads, agenda, intake);
  }

  /**
   * Adds a model, or replaces the plan of one: what is queued stays queued, its waiting time starts
   * anew, and its costs are learned anew.
   *
   * @throws IllegalStateException if the model is draining
   */
  public void addModel(ModelPlan plan, long nowNs) {
    ModelState model = models.find(plan.key());
    if (model == null) {
      models.add(new ModelState(plan, tenants, turns));
    } else if (model.draining) {
      throw new IllegalStateException(plan.key() + " is being removed");
    } else {
      model.replan(plan, nowNs, intake.rejected());
      models.planned(model);
      agenda.touch(model);
    }
  }

  /** Leaves the load of a model in a cell from now on, at every {@link #publishLoads}. */
  public void publishTo(String key, LoadCell cell) {
    ModelState model = models.find(key);
    if (model != null) {
      model.admission.publishTo(cell);
      loads.touch(model);
    }
  }

  /** Leaves the load of the models that something happened to where front ends see it. */
  public void publishLoads(long nowNs) {
    loads.publish(nowNs);
  }

  /**
   * Stops taking requests for a model; what is queued still runs, if there is an instance.
   *
   * @param successor version that gets what there is no instance for, empty for none
   */
  public void drainModel(String key, String successor, long nowNs) {
    ModelState model = models.find(key);
    if (model != null) {
      model.draining = true;
      model.successor = successor;
      intake.handOverIfStranded(model, nowNs);
    }
  }

  /** Returns true if nothing of the model is queued or running; also if it is unknown. */
  public boolean isDrained(String key) {
    ModelState model = models.find(key);
    return model == null || (model.running == 0 && model.batcher.queue().requests() == 0);
  }

  /** Forgets a model and its instances; what is queued is rejected, what runs may finish. */
  public void removeModel(String key) {
    ModelState model = models.find(key);
    if (model == null) {
      return;
    }
    model.batcher.rejectAll(Refusals.notReady(model.plan, "unloaded"), intake.rejected());
    agenda.forget(model);
    models.remove(model);
    model.removed = true;
    loads.forget(model);
    for (InstanceState instance : model.instances.values()) {
      instance.leaving = true;
    }
    for (Placement placement : model.placements) {
      placement.device.forget(placement);
    }
  }

  /**
   * Adds an instance that waits for its first batch. One with the same index is taken for dead and
   * replaced.
   *
   * @throws IllegalArgumentException if its model or device is unknown
   */
  public void addInstance(InstanceRef ref, long nowNs) {
    instances.add(ref, nowNs);
  }

  /**
   * Takes over what batches of a model took on a device before now. Unknown names are ignored: the
   * model may have been removed meanwhile.
   */
  public void seedProfile(SchedulerCommand.SeedProfile command) {
    ModelState model = models.find(command.key());
    DeviceState device = devices.find(command.device());
    if (model != null && device != null) {
      model.placeOn(device).seed(command);
      agenda.touch(model);
    }
  }

  /** Returns what the batches of a model cost. */
  public ModelProfile profile(String key) {
    ModelState model = models.find(key);
    return new ModelProfile(key, model == null ? List.of() : model.profiles());
  }

  /** Gives an instance no more batches; it is gone when its current one is done. */
  public void removeInstance(String key, int index, long nowNs) {
    instances.remove(key, index, nowNs);
  }

  /** Returns true while an instance waits for batches or runs one. */
  public boolean hasInstance(String key, int index) {
    ModelState model = models.find(key);
    return model != null && model.instances.containsKey(index);
  }

  /** Queues a request; returns null if it was taken, otherwise why not. */
  public @Nullable InferenceException submit(InferenceRequest request, long nowNs) {
    return intake.submit(request, nowNs);
  }

  /** Returns the next batch to run and where, or null; ask until it returns null. */
  public @Nullable Assignment poll(long nowNs) {
    agenda.settle(nowNs, intake.rejected());
    Placement next = devices.choose(nowNs);
    while (next != null) {
      ModelState model = next.model;
      model.batcher.setMostItems(next.device.shortBatches.mostItems(next, nowNs));
      Batch batch = model.batcher.take(nextBatchId, nowNs, next, intake.rejected());
      agenda.logDropped(model, nowNs);
      if (batch != null) {
        nextBatchId++;
        Assignment assignment = dispatch.batch(next, batch, nowNs);
        agenda.refresh(model, nowNs, intake.rejected());
        return assignment;
      }
      agenda.refresh(model, nowNs, intake.rejected());
      next = devices.choose(nowNs);
    }
    Hedges.Hedge hedge = hedges.next(nowNs);
    return hedge == null ? null : dispatch.hedge(hedge, nextBatchId++, nowNs);
  }

  /** Returns how many threads of CPUs batches keep busy. */
  public int busyCores() {
    int busy = 0;
    for (DeviceState device : devices.all()) {
      busy +=
          device.spec.kind() == DeviceSpec.Kind.CPU ? device.spec.capacity() - device.room() : 0;
    }
    return busy;
  }

  /** Takes note that an instance has run its batch, well or not, and is ready for the next. */
  public void onOutcome(Assignment assignment, BatchOutcome outcome, long nowNs) {
    InstanceState instance = assignment.state;
    if (instance.running != assignment) {
      return;
    }
    // Requests that were cancelled on the way did not run; perhaps none did.
    boolean ranWell = outcome.succeeded() && outcome.items() > 0;
    if (ranWell && instance.isWide()) {
      instance.placement.ranWide(outcome, nowNs);
    } else if (ranWell) {
      int concurrency = instance.concurrency(nowNs);
      if (instance.isCountedRight()) {
        DeviceState device = instance.placement.device;
        String change = device.occupancy.onOutcome(instance, outcome, concurrency, nowNs);
        if (!change.isEmpty()) {
          log.notes(Decision.Kind.LIMIT, "", "", device.spec.name(), change, nowNs);
        }
      } else {
        concurrency++; // for what runs in lent room
      }
      instance.placement.ran(outcome, concurrency, nowNs);
    }
    if (ranWell && assignment.hedgeOf == null) {
      instance.placement.model.retries.onSuccess(assignment.batch().requests().size());
    }
    instance.settle(outcome.busyNs(), nowNs);
    ModelState model = instance.placement.model;
    if (assignment.hedgeOf == null) {
      model.admission.onOutcome(assignment.batch(), outcome, instance.runUnits, nowNs);
    } else if (outcome.items() > 0) {
      hedges.ended(assignment, nowNs);
    }
    loads.touch(model);
    if (instance.leaving) {
      instance.forget();
    } else {
      instance.placement.free.addLast(instance);
    }
    agenda.touch(instance.placement.model);
  }

  /**
   * Takes note that an instance will not answer for its batch; it gets no more. What is queued
   * waits for another instance, or for {@link #giveUp}; of a model that was replaced and has no
   * other, it goes to what took its place.
   *
   * @return false if that was known
   */
  public boolean onLost(Assignment assignment, long nowNs) {
    InstanceState instance = assignment.state;
    if (instance.running != assignment) {
      return false;
    }
    instance.drop(nowNs);
    loads.touch(instance.placement.model);
    agenda.touch(instance.placement.model);
    if (!instance.placement.model.successor.isEmpty()) {
      intake.handOverIfStranded(instance.placement.model, nowNs);
    }
    return true;
  }

  /**
   * As {@link #onLost}, for an execution that took longer than the limit.
   *
   * @return false if that was known
   */
  public boolean onCut(Assignment assignment, long nowNs) {
    boolean news = onLost(assignment, nowNs);
    if (news) {
      assignment.state.placement.cuts++;
    }
    return news;
  }

  /**
   * Rejects what is queued for a model that has no instance, and everything that comes, until an
   * instance reports. Does nothing for a model that has one.
   *
   * @param reason what clients are told
   * @param retryAtNs when to come again, which they are told too unless it has passed
   */
  public void giveUp(String key, String reason, long retryAtNs, long nowNs) {
    instances.giveUp(key, reason, retryAtNs, nowNs);
  }

  /** Returns what runs now, and what of it takes too long. */
  Executions executions() {
    return executions;
  }

  /**
   * Returns null if a request of a lost instance may run once more, otherwise why not, in one word.
   * The caller submits it again. Nothing is run twice for a model that preserves ordering: others
   * have overtaken it.
   */
  public @Nullable String refuseRetry(InferenceRequest request, long nowNs) {
    return intake.refuseRetry(request, nowNs);
  }

  /**
   * Takes out requests of a model that were answered while they waited. Of all its versions and
   * loads: which of them has a request its client cannot know, who may have asked for a cold model,
   * or one that is loaded anew or tried out meanwhile.
   */
  public void sweep(String name) {
    for (ModelState model = models.newest(name); model != null; model = model.olderVersion) {
      model.batcher.removeDone(intake.rejected());
      agenda.touch(model);
    }
  }

  /** Rejects everything that is queued and everything that comes. */
  public void shutDown() {
    intake.close();
    for (ModelState model : models.all()) {
      model.batcher.rejectAll(InferenceException.shuttingDown(), intake.rejected());
      model.order.giveUp();
      agenda.touch(model);
    }
  }

  /** Returns the turns that have come since the last call, in order; the caller tells them. */
  List<AnswerTurn> takeTurns() {
    List<AnswerTurn> taken = List.copyOf(turns);
    turns.clear();
    return taken;
  }

  /**
   * Hands over what left the queues without having run since the last call, also requests that were
   * found answered already; the caller answers and closes them.
   */
  public List<Rejection> takeRejected() {
    return intake.takeRejected();
  }

  /**
   * Returns how long after {@code nowNs} {@link #poll} may have something new though no event
   * comes, or {@link #NEVER}. May be too short. Valid after {@code poll} returned null.
   */
  public long wakeUpInNs(long nowNs) {
    agenda.settle(nowNs, intake.rejected());
    return Math.min(
        devices.wakeUpInNs(nowNs), Math.min(agenda.wakeUpInNs(nowNs), hedges.untilDueNs(nowNs)));
  }

  /** Returns what was decided about requests that take long since the last call. */
  public List<HedgeDecision> takeHedgeDecisions() {
    return hedges.takeDecisions();
  }

  /** Returns the last decisions, to read. */
  public DecisionLog decisions() {
    return log;
  }

  /** Returns what is held now and what was done so far. */
  public SchedulerSnapshot snapshot(long nowNs) {
    return new SchedulerSnapshot(
        nowNs,
        models.all().stream().map(ModelState::snapshot).toList(),
        devices.all().stream().map(device -> device.snapshot(nowNs)).toList());
  }
}
