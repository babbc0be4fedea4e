package dev.conveyor.verticles.supervisor;

import dev.conveyor.models.backend.LoadedModel;
import dev.conveyor.scheduler.Addresses;
import dev.conveyor.scheduler.ModelPlan;
import dev.conveyor.scheduler.SchedulerCommand;
import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.instance.Isolation;
import dev.conveyor.verticles.isolation.IsolationLog;
import dev.conveyor.verticles.profile.ProfileKeeper;
import io.vertx.core.Context;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import io.vertx.core.WorkerExecutor;
import io.vertx.core.eventbus.DeliveryOptions;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BiFunction;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Brings loaded versions up as instances that the scheduler knows, and takes them down again.
 *
 * <p>Thread-confined to the supervisor's context. Whatever fails on the way up is taken down before
 * the failure is passed on, weights included.
 */
final class Deployer {

  private static final Logger LOG = LoggerFactory.getLogger(Deployer.class);

  /** The scheduler answers a removal when the last request has been; that may take a while. */
  private static final DeliveryOptions CONTROL =
      new DeliveryOptions().setLocalOnly(true).setSendTimeout(10 * 60_000L);

  /** A model gets no further deployment while so many have threads that do not come back. */
  private static final int MOST_STUCK = 4;

  /** One running version. */
  record Deployment(Crew crew) {

    LoadedVersion version() {
      return crew.version;
    }

    ServedModel served() {
      return crew.version.served();
    }
  }

  private final Vertx vertx;
  private final Context context;
  private final WorkerExecutor loaders;
  private final InstanceKeeper keeper;
  private final IsolationLog log;
  private final Runnable trim;
  private final int maxQueueSize;
  private final ProfileSaver saver;
  private final Sites sites;
  private final SupervisorEvents events;
  private final InstanceScaling scaling;
  private final List<CrewWatch> watches = new ArrayList<>();
  private final Map<String, Integer> stuck = new HashMap<>();
  private @Nullable DevicePlacement placement;

  Deployer(
      Vertx vertx,
      Context context,
      WorkerExecutor loaders,
      Sites sites,
      int maxQueueSize,
      long startLimitMs,
      ProfileKeeper profiles,
      IsolationLog log,
      SupervisorEvents events,
      Runnable trim) {
    this.vertx = vertx;
    this.context = context;
    this.loaders = loaders;
    this.log = log;
    this.trim = trim;
    this.sites = sites;
    this.events = events;
    this.maxQueueSize = maxQueueSize;
    this.saver = new ProfileSaver(vertx, context, loaders, profiles, sites);
    CostSeeds costs = new CostSeeds(vertx, profiles, sites);
    this.keeper = new InstanceKeeper(vertx, context, log, costs, startLimitMs);
    this.scaling = new InstanceScaling(vertx, context, keeper, sites, events);
    watches.add(scaling);
  }

  /**
   * Has versions that come from now on move between devices with their load.
   *
   * @param load loads one more copy of the weights onto a device
   */
  void place(
      ChangeQueues changes, BiFunction<DeviceLoads.Source, String, Future<BringUp.Copy>> load) {
    DeviceMoves moves = new DeviceMoves(keeper, loaders, sites, trim, load);
    DevicePlacement made = new DevicePlacement(vertx, context, changes, moves, sites, events);
    watches.add(made);
    placement = made;
  }

  /** Returns what moves versions between devices; null if they stay. */
  @Nullable DevicePlacement placement() {
    return placement;
  }

  InstanceScaling scaling() {
    return scaling;
  }

  ProfileSaver saver() {
    return saver;
  }

  /** Replaces no lost instance any more, and decides nothing about those that are there. */
  Future<Void> close() {
    scaling.close();
    saver.close();
    keeper.close();
    return placement == null ? Future.succeededFuture() : placement.end();
  }

  /** Brings up all versions, or none. */
  Future<List<Deployment>> deployAll(List<LoadedVersion> versions) {
    List<Future<Deployment>> deploying = versions.stream().map(this::deploy).toList();
    return Future.join(deploying)
        .map(all -> deploying.stream().map(Future::result).toList())
        .recover(
            failure -> {
              List<Deployment> succeeded =
                  deploying.stream().filter(Future::succeeded).map(Future::result).toList();
              return retireAll(succeeded, List.of())
                  .transform(done -> Future.failedFuture(failure));
            });
  }

  /**
   * Takes versions down; fails only when it could not, and then has done what it could.
   *
   * @param successors what took their place: if an instance is lost now, its requests may run there
   */
  Future<Void> retireAll(List<Deployment> old, List<Deployment> successors) {
    List<Future<Void>> retiring =
        old.stream().map(one -> retire(one, successor(one.served(), successors))).toList();
    return retiring.isEmpty() ? Future.succeededFuture() : Future.join(retiring).mapEmpty();
  }

  private Future<Deployment> deploy(LoadedVersion version) {
    ServedModel served = version.served();
    Crew crew = new Crew(version, new Isolation(log));
    Deployment deployment = new Deployment(crew);
    ModelPlan plan =
        new ModelPlan(
            served.name(),
            served.deployedVersion(),
            served.config().maxBatchSize(),
            served.config().dynamicBatching(),
            served.config().extensions().weight(),
            maxQueueSize,
            served.config().extensions().admission(),
            served.config().extensions().serviceLevel(),
            served.config().extensions().hedging());
    return control(
            new SchedulerCommand.AddModel(plan, served.door().load(), crew.isolation.suspects()))
        .compose(v -> requireFewStuck(served.name()))
        .compose(v -> keeper.start(crew))
        .onSuccess(
            v -> {
              watches.forEach(watch -> watch.add(crew));
              saver.add(deployment);
            })
        .map(deployment)
        .recover(failure -> retire(deployment, "").transform(done -> Future.failedFuture(failure)));
  }

  /**
   * Lets requests under way run, then stops the instances, then frees the weights; if an execution
   * hangs, the weights are freed once it came back, and nobody waits for that.
   */
  private Future<Void> retire(Deployment old, String successor) {
    watches.forEach(watch -> watch.remove(old.crew()));
    return emptied(old.served())
        .compose(v -> saver.saveLast(old))
        .compose(v -> control(new SchedulerCommand.RemoveModel(old.served().key(), successor)))
        .eventually(() -> keeper.stop(old.crew()))
        .eventually(
            () -> {
              Future<?> allLeft = old.crew().allLeft();
              Future<?> closed =
                  allLeft.eventually(
                      () -> loaders.executeBlocking(() -> close(old.version().weights()), false));
              if (allLeft.isComplete()) {
                return closed;
              }
              String name = old.served().name();
              stuck.merge(name, 1, Integer::sum);
              closed.onComplete(
                  v -> stuck.compute(name, (n, before) -> before == 1 ? null : before - 1));
              return Future.succeededFuture();
            })
        .onFailure(e -> LOG.warn("retiring {}: {}", old.served().key(), e.getMessage()));
  }

  private static String successor(ServedModel old, List<Deployment> successors) {
    return successors.stream()
        .map(Deployment::served)
        .filter(served -> served.canServe(old))
        .map(ServedModel::deployedVersion)
        .findFirst()
        .orElse("");
  }

  private Future<Void> requireFewStuck(String name) {
    int threads = stuck.getOrDefault(name, 0);
    return threads < MOST_STUCK
        ? Future.succeededFuture()
        : Future.failedFuture(
            new LoadTimeoutException(
                "%d earlier deployments of it have threads that do not come back"
                    .formatted(threads)));
  }

  /** Completes when nobody is on the way from the catalog to the scheduler any more. */
  private Future<Void> emptied(ServedModel served) {
    Promise<Void> empty = Promise.promise();
    served.entrance().close(() -> context.runOnContext(v -> empty.complete()));
    return empty.future();
  }

  private @Nullable Void close(LoadedModel weights) {
    weights.close();
    trim.run();
    return null;
  }

  private Future<Void> control(SchedulerCommand command) {
    return vertx.eventBus().request(Addresses.CONTROL, command, CONTROL).mapEmpty();
  }
}
