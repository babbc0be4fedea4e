package dev.conveyor.scheduler;

import dev.conveyor.scheduler.decisions.DecisionLog;
import org.jspecify.annotations.Nullable;

/**
 * Puts batches on free instances, and on the books of the devices and models concerned.
 *
 * <p>Not thread-safe: owned by the {@link Scheduler}, which has chosen place and batch.
 */
final class Dispatch {

  /** Charged for a batch of a model that has never run, until its true cost is known. */
  private static final long UNKNOWN_COST_NS = 1_000_000;

  private final LoadBoard loads;
  private final Agenda agenda;
  private final DecisionLog log;

  Dispatch(LoadBoard loads, Agenda agenda, DecisionLog log) {
    this.loads = loads;
    this.agenda = agenda;
    this.log = log;
  }

  /** Runs what was cut from the queue of a place's model; the place has a free instance. */
  Assignment batch(Placement placement, Batch cut, long nowNs) {
    ModelState model = placement.model;
    Batch placed = model.plan.preservesOrdering() ? model.order.place(cut) : cut;
    Batch batch = WideRuns.suits(placement, cut.items()) ? placed.widened() : placed;
    placement.device.shortBatches.began(placement, nowNs);
    Assignment assignment = start(placement, batch, null, nowNs);
    model.admission.onBatch(batch, nowNs);
    loads.touch(model);
    model.dispatched(batch.requests().size(), nowNs);
    log.runs(
        model.plan,
        placement.device.spec.name(),
        batch,
        (long) (assignment.state.chargedNs / assignment.state.runUnits),
        model.batcher,
        nowNs);
    return assignment;
  }

  /** Runs requests once more that take long where they are. */
  Assignment hedge(Hedges.Hedge hedge, long id, long nowNs) {
    int items = hedge.requests().stream().mapToInt(InferenceRequest::batchSize).sum();
    Batch batch = new Batch(id, hedge.requests(), items, nowNs);
    Assignment assignment = start(hedge.placement(), batch, hedge.slow(), nowNs);
    ModelState model = assignment.state.placement.model;
    model.running++;
    loads.touch(model);
    agenda.touch(model);
    return assignment;
  }

  private static Assignment start(
      Placement placement, Batch batch, @Nullable Assignment hedgeOf, long nowNs) {
    DeviceState device = placement.device;
    InstanceState instance = placement.free.removeLast();
    long usualNs =
        placement.profile.isKnown() ? placement.profile.predictNs(batch.items()) : UNKNOWN_COST_NS;
    long predictedNs = batch.wide() ? placement.wideNs(batch.items()) : usualNs;
    Assignment assignment = new Assignment(instance, batch, hedgeOf);
    instance.running = assignment;
    instance.runUnits = batch.wide() ? instance.idleUnits : instance.units;
    instance.chargedNs = (double) predictedNs * instance.runUnits;
    device.runQueue.dispatch(placement.entry, instance.chargedNs);
    device.take(instance.runUnits, nowNs);
    instance.started(nowNs);
    device.started(instance);
    return assignment;
  }
}
