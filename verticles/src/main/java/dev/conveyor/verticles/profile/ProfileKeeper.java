package dev.conveyor.verticles.profile;

import dev.conveyor.models.backend.ModelExecutor;
import dev.conveyor.scheduler.ModelProfile;
import dev.conveyor.scheduler.NanoClock;
import dev.conveyor.scheduler.profile.CostSample;
import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.instance.CostWarmup;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Sees to it that the costs of a model are known before its first request, and that they are kept
 * when it goes. Thread-safe: no state; every method blocks.
 */
public final class ProfileKeeper {

  /** With a stored profile only memory and caches are to be warmed up, which takes less. */
  private static final int STORED_PART = 3;

  /**
   * When the server starts, all models warm up side by side and everybody waits for the slowest:
   * the small sizes are enough to begin with.
   */
  private static final int START_PART = 5;

  private final Optional<ProfileStore> store;
  private final Duration warmup;
  private final NanoClock clock;

  /**
   * Creates a keeper.
   *
   * @param store empty: nothing is stored, nothing is read
   * @param warmup longest time for the warm-up of one model; zero switches it off
   */
  public ProfileKeeper(Optional<ProfileStore> store, Duration warmup, NanoClock clock) {
    this.store = store;
    this.warmup = warmup;
    this.clock = clock;
  }

  /** What a profile begins with. */
  public record Seeds(ModelProfile.Seed seed, List<CostSample> samples) {
    public static final Seeds NONE = new Seeds(ModelProfile.Seed.NONE, List.of());
  }

  /**
   * Warms the first instance of a model up and returns what its batches cost. Called on the
   * instance's thread.
   *
   * @param serving whether the server is ready while this goes on
   */
  public Seeds warmUp(
      ServedModel served, ModelExecutor executor, Optional<ProfileKey> key, boolean serving) {
    Duration limit = serving ? warmup : warmup.dividedBy(START_PART);
    List<CostSample> stored =
        store.isPresent() && key.isPresent() ? store.get().read(key.get()) : List.of();
    if (!stored.isEmpty()) {
      CostWarmup.touch(served, executor, limit.dividedBy(STORED_PART), clock);
      return new Seeds(ModelProfile.Seed.STORED, stored);
    }
    if (warmup.isZero()) {
      return Seeds.NONE;
    }
    List<CostSample> measured = CostWarmup.measure(served, executor, limit, clock);
    return measured.isEmpty() ? Seeds.NONE : new Seeds(ModelProfile.Seed.WARM_UP, measured);
  }

  /** Stores what was learned; returns where, empty if it is not. */
  public Optional<Path> store(ProfileKey key, ModelProfile profile) {
    List<CostSample> samples = new ArrayList<>();
    for (ModelProfile.OnDevice device : profile.devices()) {
      if (device.device().equals(key.device())) {
        samples.addAll(device.costs().samples());
      }
    }
    return samples.isEmpty() ? Optional.empty() : store.flatMap(files -> files.write(key, samples));
  }
}
