package dev.conveyor.verticles.supervisor;

import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.profile.ProfileKey;
import java.util.Map;
import java.util.Optional;

/**
 * One version with its weights in memory, not yet deployed. The holder closes the weights.
 *
 * @param source what one more copy is loaded from; empty if it stays on its devices
 * @param warmupData the files of the configured warm-ups, by the name in the configuration
 * @param profileKeys what its costs are stored under, by kind of device; none if they are not
 * @param background whether others are served while it comes up, and must not feel it
 */
record LoadedVersion(
    ServedModel served,
    DeviceWeights weights,
    InstancePlan plan,
    Optional<DeviceLoads.Source> source,
    Map<String, byte[]> warmupData,
    Map<String, ProfileKey> profileKeys,
    boolean background) {

  /** Returns the same weights, served as this. */
  LoadedVersion with(ServedModel other) {
    return new LoadedVersion(other, weights, plan, source, warmupData, profileKeys, background);
  }
}
