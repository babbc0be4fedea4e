package dev.conveyor.verticles.profile;

import dev.conveyor.models.backend.ModelExecutor;
import dev.conveyor.scheduler.ModelProfile;
import dev.conveyor.scheduler.NanoClock;
import dev.conveyor.scheduler.profile.CostSample;
import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.instance.CostWarmup;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

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
   * @param key what its costs there are stored under; null if they are not
   * @param serving whether the server is ready while this goes on
   */
  public Seeds warmUp(
      ServedModel served, ModelExecutor executor, @Nullable ProfileKey key, boolean serving) {
    Duration limit = serving ? warmup : warmup.dividedBy(START_PART);
    List<CostSample> stored = store.isPresent() && key != null ? store.get().read(key) : List.of();
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

  /**
   * Stores what was learned on a kind of device; returns where, empty if it is not.
   *
   * @param isOfKind whether a device, by its name, is of that kind; the one that ran most counts
   */
  public Optional<Path> store(ProfileKey key, ModelProfile profile, Predicate<String> isOfKind) {
    List<CostSample> samples =
        profile.devices().stream()
            .filter(device -> isOfKind.test(device.device()))
            .max(Comparator.comparingLong(device -> device.costs().accuracy().scored()))
            .map(ModelProfile.OnDevice::samples)
            .orElse(List.of());
    return samples.isEmpty() ? Optional.empty() : store.flatMap(files -> files.write(key, samples));
  }
}
