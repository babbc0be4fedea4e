package dev.conveyor.verticles.supervisor;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.conveyor.memory.ThreadPriority;
import dev.conveyor.models.backend.LoadedModel;
import dev.conveyor.models.backend.ModelExecutor;
import dev.conveyor.models.backend.ModelLoadException;
import dev.conveyor.models.config.Isolation;
import dev.conveyor.scheduler.Addresses;
import dev.conveyor.scheduler.ModelProfile;
import dev.conveyor.scheduler.SchedulerCommand;
import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.instance.Warmups;
import dev.conveyor.verticles.profile.ProfileKeeper;
import dev.conveyor.verticles.profile.ProfileKeeper.Seeds;
import dev.conveyor.verticles.profile.ProfileKey;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.eventbus.DeliveryOptions;
import java.util.Comparator;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Warms instances up and hands what the first of a version on each kind of device learned about its
 * costs to the scheduler. What is known of one device is known of every other one of its kind.
 *
 * <p>Thread-safe: no state of its own.
 */
final class CostSeeds {

  private static final Logger LOG = LoggerFactory.getLogger(CostSeeds.class);
  private static final DeliveryOptions LOCAL = new DeliveryOptions().setLocalOnly(true);

  private final Vertx vertx;
  private final ProfileKeeper profiles;
  private final Sites sites;

  CostSeeds(Vertx vertx, ProfileKeeper profiles, Sites sites) {
    this.vertx = vertx;
    this.profiles = profiles;
    this.sites = sites;
  }

  /** Begins to warm an instance up; on the supervisor's context. */
  Warm begin(Crew crew, String device) {
    return new Warm(crew.measures(sites.of(device).kind()));
  }

  /** An instance did not come up: what it was to measure, the next one does. */
  void failed(Crew crew, String device, Warm warm) {
    if (warm.measures) {
      crew.hasNotMeasured(sites.of(device).kind());
    }
  }

  /** What an instance leaves behind when it is warm; its deployment comes after. */
  static final class Warm {
    volatile Seeds seeds = Seeds.NONE;

    /** Whether it is to find out what batches cost. */
    private final boolean measures;

    @GuardedBy("this")
    private @Nullable ModelExecutor executor;

    @GuardedBy("this")
    private boolean cancelled;

    Warm(boolean measures) {
      this.measures = measures;
    }

    private synchronized ModelExecutor begin(ModelExecutor made) {
      executor = made;
      if (cancelled) {
        made.cancel();
      }
      return made;
    }

    /** Asks a warm-up that takes too long to end. From any thread. */
    synchronized void cancel() {
      cancelled = true;
      if (executor != null) {
        executor.cancel();
      }
    }

    private synchronized void requireWanted() {
      if (cancelled) {
        throw new ModelLoadException("its warm-up was told to end");
      }
    }
  }

  /**
   * Makes a warm executor; called on the instance's thread. While others are served, at the lowest
   * priority: nobody waits for this one so urgently.
   */
  ModelExecutor warmExecutor(Crew crew, String device, Warm warm, boolean serving) {
    ServedModel served = crew.version.served();
    // A worker process would keep the priority for good.
    boolean lowered = serving && served.config().isolation() != Isolation.PROCESS;
    return lowered
        ? ThreadPriority.lowered(false, () -> warmUp(crew, device, warm, serving))
        : warmUp(crew, device, warm, serving);
  }

  private ModelExecutor warmUp(Crew crew, String device, Warm warm, boolean serving) {
    LoadedVersion version = crew.version;
    ServedModel served = version.served();
    final long startNs = System.nanoTime();
    LoadedModel weights = version.weights().on(device);
    ModelExecutor executor =
        Warmups.run(
            served,
            warm.begin(weights.newExecutor(served.config().maxBatchSize())),
            version.warmupData(),
            crew.isolation);
    if (warm.measures) {
      final long warmNs = System.nanoTime();
      try {
        warm.requireWanted();
        ProfileKey key = version.profileKeys().get(sites.of(device).kind());
        warm.seeds = profiles.warmUp(served, executor, key, serving);
      } catch (RuntimeException | Error e) {
        executor.close();
        throw e;
      }
      LOG.debug(
          "{}: first run after {} ms, costs ({}) in {} ms",
          served.key(),
          (warmNs - startNs) / 1_000_000,
          warm.seeds.seed(),
          (System.nanoTime() - warmNs) / 1_000_000);
    }
    return executor;
  }

  /**
   * Tells the scheduler what a device's batches cost before its first instance there runs one: as
   * was measured, or as on another device of the same kind.
   */
  Future<Void> seed(Crew crew, String device, Warm warm) {
    Seeds measured = warm.seeds;
    String key = crew.version.served().key();
    if (!measured.samples().isEmpty()) {
      return seed(key, device, measured);
    }
    return crew.membersOn(device).size() > 1
        ? Future.succeededFuture()
        : vertx
            .eventBus()
            .<ModelProfile>request(Addresses.PROFILE, key, LOCAL)
            .compose(
                profile ->
                    alike(profile.body(), device)
                        .map(seeds -> seed(key, device, seeds))
                        .orElse(Future.succeededFuture()));
  }

  /** Returns what is known of another device of the same kind; empty if this one has run. */
  private Optional<Seeds> alike(ModelProfile profile, String device) {
    boolean known =
        profile.devices().stream()
            .anyMatch(d -> d.device().equals(device) && !d.costs().samples().isEmpty());
    String kind = sites.of(device).kind();
    return known
        ? Optional.empty()
        : profile.devices().stream()
            .filter(d -> sites.of(d.device()).kind().equals(kind))
            .filter(d -> !d.costs().samples().isEmpty())
            .max(Comparator.comparingLong(d -> d.costs().accuracy().scored()))
            .map(d -> new Seeds(d.seed(), d.samples()));
  }

  private Future<Void> seed(String key, String device, Seeds seeds) {
    return vertx
        .eventBus()
        .request(
            Addresses.CONTROL,
            new SchedulerCommand.SeedProfile(key, device, seeds.seed(), seeds.samples()),
            LOCAL)
        .mapEmpty();
  }
}
