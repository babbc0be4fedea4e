package dev.conveyor.scheduler;

import dev.conveyor.scheduler.profile.CostSample;
import dev.conveyor.scheduler.profile.ProfileSnapshot;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

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

  /**
   * The costs on one device.
   *
   * @param wide of batches that had more threads than usual; empty if nothing is known of such
   */
  public record OnDevice(
      String device, Seed seed, ProfileSnapshot costs, Occupancy occupancy, Optional<Wide> wide) {

    /** Returns what a new profile is to begin with to predict about the same. */
    public List<CostSample> samples() {
      return Stream.concat(
              costs.samples().stream(), wide.map(Wide::samples).orElse(List.of()).stream())
          .toList();
    }
  }

  /**
   * Batches that had more threads than usual, because nothing else wanted the cores.
   *
   * @param threads of each
   * @param batches that ended well since the model was loaded
   * @param sizes what they cost, ascending
   * @param samples that stand for all, once there are enough to judge by
   */
  public record Wide(
      int threads, long batches, List<ProfileSnapshot.Size> sizes, List<CostSample> samples) {
    public Wide {
      sizes = List.copyOf(sizes);
      samples = List.copyOf(samples);
    }
  }

  /**
   * What batches do to each other on the device.
   *
   * @param limit batches that may run at once now
   * @param stretch time of a batch among 1, 2, 3 and so on, relative to alone; 0 is not known
   * @param beside the same for this model's batches, by the key of the model that ran beside
   * @param lastChange of the limit, with the reason; empty if there was none
   */
  public record Occupancy(
      int limit, List<Double> stretch, Map<String, Double> beside, String lastChange) {
    /** Of a device where nothing was measured. */
    public static final Occupancy UNKNOWN = new Occupancy(1, List.of(), Map.of(), "");

    public Occupancy {
      stretch = List.copyOf(stretch);
      beside = Map.copyOf(beside);
    }
  }
}
