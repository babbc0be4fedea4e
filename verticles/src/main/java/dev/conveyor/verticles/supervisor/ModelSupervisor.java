package dev.conveyor.verticles.supervisor;

import dev.conveyor.models.InferenceException;
import dev.conveyor.models.config.Isolation;
import dev.conveyor.models.repository.ModelRepository;
import dev.conveyor.verticles.ColdRequest;
import dev.conveyor.verticles.ModelActivator;
import dev.conveyor.verticles.ModelCatalog;
import dev.conveyor.verticles.ModelOverride;
import dev.conveyor.verticles.RepositoryControl;
import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.isolation.IsolationLog;
import dev.conveyor.verticles.profile.ProfileKeeper;
import dev.conveyor.verticles.supervisor.Deployer.Deployment;
import io.vertx.core.Context;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import io.vertx.core.WorkerExecutor;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Owns what is deployed: loads models, replaces them, takes them out.
 *
 * <p>Thread-confined: all state belongs to one context; the public methods may be called from
 * anywhere. Changes to one model happen one after the other, changes to different models at the
 * same time. A reload brings the new deployment up beside the old one, switches the catalog, and
 * only then drains the old one: no request sees a gap, and a failed load changes nothing.
 *
 * <p>How a model comes up is {@link BringUp}'s business, which models may go that of {@link
 * Residents}, and requests that wait are with {@link ColdStarts}.
 */
public final class ModelSupervisor implements RepositoryControl, ModelActivator {

  /**
   * What loads are allowed.
   *
   * @param atOnce how many run at the same time, at start
   * @param timeout longest that a load, and the start of each instance, may take
   */
  public record LoadLimits(int atOnce, Duration timeout) {}

  private final Context context;
  private final WorkerExecutor loaders;
  private final ModelLoader loader;
  private final ModelCatalog catalog;
  private final SupervisorEvents events;
  final Deployer deployer;
  private final Deployed deployed;
  private final ChangeQueues changes = new ChangeQueues();
  private final ColdStarts coldStarts;
  private final Residents residents;
  private final BringUp bringUp;
  private final FileLoads fileLoads;
  private final EnsembleKeeper ensembles;
  private final RepositoryIndex index;
  private final LoadResults results;
  private final FirstLoads firstLoads;
  private boolean stopping;
  private volatile boolean ready;

  /**
   * Creates a supervisor that lives on {@code context}.
   *
   * @param sites the devices, by the names that they have in the scheduler
   * @param maxQueueSize requests that may wait per model where its configuration does not say
   * @param log told of every decision about instances
   * @param trim gives back what is kept for later, after a model has left memory; on a loader
   */
  public ModelSupervisor(
      Vertx vertx,
      Context context,
      WorkerExecutor loaders,
      ModelLoader loader,
      ModelCatalog catalog,
      SupervisorEvents events,
      Sites sites,
      int maxQueueSize,
      LoadLimits loadLimits,
      ProfileKeeper profiles,
      IsolationLog log,
      Runnable trim) {
    this.context = context;
    this.loaders = loaders;
    this.loader = loader;
    this.catalog = catalog;
    this.events = events;
    this.deployer =
        new Deployer(
            vertx,
            context,
            loaders,
            sites,
            maxQueueSize,
            loadLimits.timeout().toMillis(),
            profiles,
            log,
            events,
            trim);
    this.deployed = new Deployed(deployer);
    this.results = new LoadResults(catalog, events, log);
    this.residents = new Residents(vertx, sites, changes::isBusy, this::evict);
    this.bringUp =
        new BringUp(
            new TimedLoads(vertx, loadLimits.atOnce(), loadLimits.timeout().toMillis()),
            loader,
            deployer,
            residents);
    this.fileLoads = new FileLoads(loaders, loader, this::forgetIfGone);
    this.ensembles =
        new EnsembleKeeper(context, loaders, loader.ensembles(catalog), catalog, events);
    this.index =
        new RepositoryIndex(deployed, ensembles, residents, results.busy(), results.failures());
    this.coldStarts =
        new ColdStarts(vertx, residents, catalog, events, maxQueueSize, changes, this::loadIfCold);
    this.firstLoads =
        new FirstLoads(
            loaders,
            loader,
            ensembles,
            bringUp,
            residents,
            catalog,
            events,
            sites.cpu().ledger(),
            name -> onContext(() -> begin(name, null)));
    if (loader.isPlanned()) {
      deployer.place(changes, bringUp::loadCopy);
    }
  }

  /**
   * Loads every model of the repository that is to be loaded at start, and takes in the others; a
   * model that fails does not stop the others.
   */
  public Future<Void> loadAll() {
    return onContext(() -> firstLoads.run().onComplete(results::atStart))
        .onComplete(done -> ready = true);
  }

  private Future<Void> begin(String name, @Nullable String configJson) {
    return changes.run(name, () -> doLoad(name, configJson));
  }

  @Override
  public Future<Void> activate(String name, ColdRequest request, Future<?> givenUp) {
    Promise<Void> left = Promise.promise();
    givenUp.onComplete(done -> context.runOnContext(v -> left.tryComplete()));
    return onContext(
        () ->
            stopping
                ? Future.failedFuture(InferenceException.shuttingDown())
                : deployed.contains(name)
                    ? Future.succeededFuture()
                    : coldStarts.await(name, request, left.future()));
  }

  @Override
  public Future<Memory> memory() {
    return onContext(
        () ->
            Future.succeededFuture(
                new Memory(residents.lines(), residents.coldStarts(), residents.evictions())));
  }

  /**
   * Returns true once the first loads have ended, until the server stops; false while no model has
   * an instance, or all have failed. One sick model does not take the others from their clients.
   */
  @Override
  public boolean isReady() {
    List<ServedModel> all = catalog.all();
    return ready
        && (all.isEmpty() ? !results.allFailed() : all.stream().anyMatch(ServedModel::isReady));
  }

  /**
   * Has the models of this isolation that run on a device loaded anew, which leaves it out, because
   * it is lost to them. What insists on it stays, without an instance, and says why. From any
   * thread.
   */
  public void onDeviceLost(String device, Isolation isolation) {
    context.runOnContext(
        v -> {
          for (String name : deployed.names()) {
            if (deployed.runsOn(device, isolation, name)) {
              Future<Void> unused = begin(name, deployed.config(name)).otherwiseEmpty();
            }
          }
        });
  }

  /** The grace period is nearly over: requests that wait for a model are told so. */
  public void answerWaiting() {
    context.runOnContext(v -> coldStarts.refuseAll());
  }

  /** Makes {@link #isReady} false: the server is stopping. */
  public void stopping() {
    ready = false;
  }

  @Override
  public Future<Void> load(String name, ModelOverride override) {
    return fileLoads
        .write(name, override)
        .compose(
            files -> onContext(() -> changes.run(name, () -> loadFrom(files, name, override))));
  }

  private Future<Void> loadFrom(
      @Nullable ModelRepository files, String name, ModelOverride override) {
    return fileLoads.from(files, name, () -> doLoad(name, override.configJson()));
  }

  @Override
  public Future<Void> unload(String name, boolean dependents) {
    return onContext(
        () -> {
          Set<String> models = dependents ? ensembles.madeOfAlone(name) : Set.of();
          return changes
              .run(
                  name,
                  () ->
                      isKnown(name)
                          ? doUnload(name)
                          : Future.failedFuture(LoadErrors.notLoaded(name)))
              .compose(v -> unloadAlso(models));
        });
  }

  private Future<Void> unloadAlso(Set<String> models) {
    List<Future<Void>> unloading =
        models.stream().filter(this::isKnown).map(model -> unload(model, true)).toList();
    return unloading.isEmpty() ? Future.succeededFuture() : Future.join(unloading).mapEmpty();
  }

  /**
   * Takes every model out of service, the requests that are queued first. Loads under way are
   * waited for and undone; none begins any more.
   */
  public Future<Void> unloadAll() {
    return onContext(this::unloadEvery)
        .eventually(deployer::close)
        .eventually(
            () ->
                loaders.executeBlocking(
                    () -> {
                      loader.overrides().close();
                      return true;
                    },
                    false));
  }

  private Future<Void> unloadEvery() {
    stopping = true;
    coldStarts.close();
    Set<String> names = deployed.names();
    names.addAll(changes.names());
    names.addAll(ensembles.names());
    List<Future<Void>> unloading =
        names.stream()
            .map(
                name ->
                    changes.run(
                        name, () -> isKnown(name) ? doUnload(name) : Future.succeededFuture()))
            .toList();
    return unloading.isEmpty() ? Future.succeededFuture() : Future.join(unloading).mapEmpty();
  }

  @Override
  public Future<List<Entry>> index() {
    return loaders
        .executeBlocking(loader::names, false)
        .compose(names -> onContext(() -> Future.succeededFuture(index.entries(names))));
  }

  /** Loads a model for a request, unless an operator took it out before the load's turn came. */
  private Future<Void> loadIfCold(String name) {
    if (deployed.contains(name)) {
      return Future.succeededFuture();
    }
    return residents.contains(name)
        ? doLoad(name, deployed.config(name))
        : Future.failedFuture(LoadErrors.unloaded(name));
  }

  private Future<Void> doLoad(String name, @Nullable String configJson) {
    if (stopping) {
      return Future.failedFuture(InferenceException.shuttingDown());
    }
    results.loading(name);
    return ensembles
        .isEnsemble(name, configJson)
        .compose(
            ensemble ->
                ensemble
                    ? ensembles.start(name, configJson).onSuccess(took -> retireModel(name))
                    : bringUp.start(
                        name,
                        configJson,
                        deployed.devices(name),
                        ready,
                        running -> takeOver(name, configJson, running)))
        .onSuccess(tookNs -> serves(name, tookNs))
        .<Void>mapEmpty()
        .onComplete(done -> results.ended(name))
        .onFailure(
            failure ->
                results.failed(
                    name,
                    failure,
                    deployed.contains(name) || ensembles.contains(name),
                    isKnown(name)))
        .recover(failure -> Future.failedFuture(LoadErrors.forClient(name, failure)));
  }

  private void forgetIfGone(String name) {
    if (!isKnown(name)) {
      results.forget(name);
      catalog.forget(name);
    }
  }

  private boolean isKnown(String name) {
    return deployed.contains(name) || residents.contains(name) || ensembles.contains(name);
  }

  /** An ensemble has taken the place of a model. */
  private void retireModel(String name) {
    results.forget(name);
    Future<Void> unused = deployed.retire(name);
  }

  /** The new version serves from here on, whatever becomes of the old one. */
  private Future<Void> takeOver(
      String name, @Nullable String configJson, List<Deployment> running) {
    ensembles.forget(name);
    catalog.publish(name, running.stream().map(Deployment::served).toList());
    results.forget(name);
    return deployed.replace(name, configJson, running);
  }

  private void serves(String name, long tookNs) {
    residents.onServing(name, deployed.served(name), tookNs);
    results.serves(name, deployed.of(name), tookNs);
    ensembles.madeOf(name).forEach((made, config) -> begin(made, config.orElse(null)));
  }

  /** Takes a model out of memory; it goes on to take requests. */
  private Future<Void> evict(String name, String reason) {
    return changes.run(
        name,
        () -> {
          if (!deployed.contains(name)) {
            return Future.succeededFuture();
          }
          results.unloading(name);
          residents.onLeaving(name);
          events.onEvicted(name, reason);
          catalog.publish(name, residents.cold(name));
          return deployed
              .retire(name)
              .otherwiseEmpty()
              .onComplete(
                  gone -> {
                    results.ended(name);
                    residents.onGone(name);
                    events.onCold(name, residents.expectedBytes(name));
                  });
        });
  }

  private Future<Void> doUnload(String name) {
    residents.remove(name);
    deployed.forgetConfig(name);
    results.forget(name);
    results.unloading(name);
    catalog.withdraw(name, "unloaded");
    Future<Void> retired = deployed.retire(name);
    return ensembles
        .stop(name)
        .compose(v -> retired)
        .eventually(() -> fileLoads.forget(name))
        .onComplete(
            done -> {
              results.ended(name);
              events.onUnloaded(name);
            });
  }

  private <T> Future<T> onContext(Supplier<Future<T>> task) {
    Promise<T> promise = Promise.promise();
    context.runOnContext(v -> task.get().onComplete(promise));
    return promise.future();
  }
}
