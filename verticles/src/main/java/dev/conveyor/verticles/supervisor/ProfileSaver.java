package dev.conveyor.verticles.supervisor;

import dev.conveyor.scheduler.Addresses;
import dev.conveyor.scheduler.ModelProfile;
import dev.conveyor.verticles.profile.ProfileKeeper;
import dev.conveyor.verticles.supervisor.Deployer.Deployment;
import io.vertx.core.Context;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import io.vertx.core.WorkerExecutor;
import io.vertx.core.eventbus.DeliveryOptions;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Stores what was learned about the costs of the models that run: every minute, so that a server
 * that ends without notice has lost little, and when a model goes. What has not changed is not
 * written again.
 *
 * <p>Thread-confined to the supervisor's context.
 */
final class ProfileSaver {

  private static final Logger LOG = LoggerFactory.getLogger(ProfileSaver.class);
  private static final DeliveryOptions LOCAL = new DeliveryOptions().setLocalOnly(true);
  private static final long PERIOD_MS = 60_000;

  private final Vertx vertx;
  private final Context context;
  private final WorkerExecutor loaders;
  private final ProfileKeeper profiles;
  private final Sites sites;

  /** What was stored last; nothing at first. */
  private final Map<Deployment, ModelProfile> running = new HashMap<>();

  private final long timer;

  ProfileSaver(
      Vertx vertx, Context context, WorkerExecutor loaders, ProfileKeeper profiles, Sites sites) {
    this.vertx = vertx;
    this.context = context;
    this.loaders = loaders;
    this.profiles = profiles;
    this.sites = sites;
    this.timer = vertx.setPeriodic(PERIOD_MS, id -> saveAll());
  }

  /** Stores nothing any more by itself. */
  void close() {
    vertx.cancelTimer(timer);
  }

  void add(Deployment deployment) {
    if (!deployment.version().profileKeys().isEmpty()) {
      running.put(deployment, new ModelProfile(deployment.served().key(), List.of()));
    }
  }

  /** Stores the costs of every model that runs. */
  Future<Void> saveAll() {
    Promise<Void> done = Promise.promise();
    context.runOnContext(
        v -> {
          List<Future<Void>> saves = running.keySet().stream().map(this::save).toList();
          (saves.isEmpty() ? Future.succeededFuture() : Future.join(saves))
              .<Void>mapEmpty()
              .onComplete(done);
        });
    return done.future();
  }

  /** Stores the costs of a model that goes, for the last time. */
  Future<Void> saveLast(Deployment deployment) {
    return save(deployment).onComplete(done -> running.remove(deployment));
  }

  /** A failure to store is nobody's. */
  private Future<Void> save(Deployment deployment) {
    ModelProfile stored = running.get(deployment);
    if (stored == null) {
      return Future.succeededFuture();
    }
    String key = deployment.served().key();
    return vertx
        .eventBus()
        .<ModelProfile>request(Addresses.PROFILE, key, LOCAL)
        .compose(
            message -> {
              ModelProfile profile = message.body();
              return samples(profile).equals(samples(stored))
                  ? Future.succeededFuture()
                  : loaders
                      .executeBlocking(() -> store(deployment.version(), profile), false)
                      .onSuccess(v -> running.replace(deployment, profile));
            })
        .<Void>mapEmpty()
        .recover(
            failure -> {
              LOG.warn("{}: costs are not kept: {}", key, failure.getMessage());
              return Future.succeededFuture();
            });
  }

  private boolean store(LoadedVersion version, ModelProfile profile) {
    version
        .profileKeys()
        .forEach(
            (kind, key) ->
                profiles.store(key, profile, device -> sites.of(device).kind().equals(kind)));
    return true;
  }

  private static List<?> samples(ModelProfile profile) {
    return profile.devices().stream().map(ModelProfile.OnDevice::samples).toList();
  }
}
