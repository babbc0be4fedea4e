package dev.conveyor.scheduler;

/** What the supervisor tells the scheduler, at {@link Addresses#CONTROL}, in order. */
public sealed interface SchedulerCommand {

  /** Takes requests for a model from now on, or changes how it is scheduled. */
  record AddModel(ModelPlan plan) implements SchedulerCommand {}

  /** Takes no more requests for a model. The reply comes when the last one was answered. */
  record RemoveModel(String key) implements SchedulerCommand {}

  /** Gives batches to an instance, at {@link Addresses#instance}, from now on. */
  record InstanceReady(InstanceRef instance) implements SchedulerCommand {}

  /** Gives no more batches to an instance. The reply comes when it runs none. */
  record InstanceGone(String key, int index) implements SchedulerCommand {}
}
