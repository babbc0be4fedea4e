package dev.conveyor.scheduler;

import dev.conveyor.scheduler.profile.ProfileSnapshot;
import java.util.List;

/**
 * What the batches of one version of a model cost. Immutable.
 *
 * @param key {@link ModelPlan#key}
 * @param devices where it has run or was warmed up; empty if the model is unknown
 */
public record ModelProfile(String key, List<OnDevice> devices) {

  public ModelProfile {
    devices = List.copyOf(devices);
  }

  /** What a profile began with. */
  public enum Seed {
    /** Nothing: all it knows are the batches of requests. */
    NONE,
    /** The warm-up before the model was ready. */
    WARM_UP,
    /** What was stored when the model was last unloaded. */
    STORED
  }

  /** The costs on one device. */
  public record OnDevice(String device, Seed seed, ProfileSnapshot costs) {}
}
