package dev.conveyor.verticles.supervisor;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.conveyor.memory.ThreadPriority;
import dev.conveyor.models.backend.LoadedModel;
import dev.conveyor.models.backend.ModelExecutor;
import dev.conveyor.models.backend.ModelLoadException;
import dev.conveyor.models.config.Isolation;
import dev.conveyor.scheduler.Addresses;
import dev.conveyor.scheduler.SchedulerCommand;
import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.instance.Warmups;
import dev.conveyor.verticles.profile.ProfileKeeper;
import dev.conveyor.verticles.profile.ProfileKeeper.Seeds;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.eventbus.DeliveryOptions;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Warms instances up and hands what the first of a version learned about its costs to the
 * scheduler.
 *
 * <p>Thread-safe: no state of its own.
 */
final class CostSeeds {

  private static final Logger LOG = LoggerFactory.getLogger(CostSeeds.class);
  private static final DeliveryOptions LOCAL = new DeliveryOptions().setLocalOnly(true);

  private final Vertx vertx;
  private final ProfileKeeper profiles;

  CostSeeds(Vertx vertx, ProfileKeeper profiles) {
    this.vertx = vertx;
    this.profiles = profiles;
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
            version.warmupFiles(),
            crew.isolation);
    if (warm.measures) {
      final long warmNs = System.nanoTime();
      try {
        warm.requireWanted();
        warm.seeds = profiles.warmUp(served, executor, version.profileKey(), serving);
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

  /** Tells the scheduler what was learned. */
  Future<Void> seed(ServedModel served, String device, Warm warm) {
    Seeds seeds = warm.seeds;
    return seeds.samples().isEmpty()
        ? Future.succeededFuture()
        : vertx
            .eventBus()
            .request(
                Addresses.CONTROL,
                new SchedulerCommand.SeedProfile(
                    served.key(), device, seeds.seed(), seeds.samples()),
                LOCAL)
            .mapEmpty();
  }
}
