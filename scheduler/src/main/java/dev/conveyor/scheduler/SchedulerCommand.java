package dev.conveyor.scheduler;

import dev.conveyor.scheduler.profile.CostSample;
import java.util.List;

/** What the supervisor tells the scheduler, at {@link Addresses#CONTROL}, in order. */
public sealed interface SchedulerCommand {

  /** Takes requests for a model from now on, or changes how it is scheduled. */
  record AddModel(ModelPlan plan) implements SchedulerCommand {}

  /** Takes no more requests for a model. The reply comes when the last one was answered. */
  record RemoveModel(String key) implements SchedulerCommand {}

  /** Takes over what batches of a model took on a device before now; its instances come after. */
  record SeedProfile(String key, String device, ModelProfile.Seed seed, List<CostSample> samples)
      implements SchedulerCommand {
    public SeedProfile {
      samples = List.copyOf(samples);
    }
  }

  /** Gives batches to an instance, at {@link Addresses#instance}, from now on. */
  record InstanceReady(InstanceRef instance) implements SchedulerCommand {}

  /** Gives no more batches to an instance. The reply comes when it runs none. */
  record InstanceGone(String key, int index) implements SchedulerCommand {}
}
