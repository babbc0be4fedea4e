package dev.conveyor.scheduler;

import dev.conveyor.scheduler.admission.LoadCell;
import dev.conveyor.scheduler.decisions.Decision;
import dev.conveyor.scheduler.isolation.Suspects;
import dev.conveyor.scheduler.profile.CostSample;
import java.util.List;

/** What the supervisor tells the scheduler, at {@link Addresses#CONTROL}, in order. */
public sealed interface SchedulerCommand {

  /**
   * Takes requests for a model from now on, or changes how it is scheduled.
   *
   * @param load where to leave how busy the model is
   * @param suspects what its instances remember of inputs; told which cost instances
   */
  record AddModel(ModelPlan plan, LoadCell load, Suspects suspects) implements SchedulerCommand {}

  /**
   * Takes no more requests for a model. The reply comes when the last one was answered.
   *
   * @param successor version of the deployment that took its place and can run its requests: it
   *     gets those that no instance is left for; empty if there is none, and they are refused
   */
  record RemoveModel(String key, String successor) implements SchedulerCommand {}

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

  /**
   * No instance of a model is left and none is to be expected soon: rejects what waits and what
   * comes, with this reason, until an instance reports. Ignored while there is one.
   *
   * @param retryAtNs when another instance begins to come up, by {@link System#nanoTime}; a time
   *     that has passed tells clients nothing
   */
  record GiveUp(String key, String reason, long retryAtNs) implements SchedulerCommand {}

  /**
   * Keeps a decision that was taken elsewhere among the scheduler's own; it changes nothing.
   *
   * @param device empty if it does not concern one
   */
  record Note(Decision.Kind kind, String model, String version, String device, String reason)
      implements SchedulerCommand {}

  /** Answers everything that waits or runs: the server stops now. */
  record AnswerAll() implements SchedulerCommand {}
}
