package dev.conveyor.verticles.supervisor;

import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.config.ModelMemory.Residency;
import dev.conveyor.models.repository.ModelRepository;
import dev.conveyor.verticles.ModelActivator;
import dev.conveyor.verticles.ModelCatalog;
import dev.conveyor.verticles.ModelOverride;
import dev.conveyor.verticles.RepositoryControl;
import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.isolation.Decision;
import dev.conveyor.verticles.isolation.IsolationLog;
import dev.conveyor.verticles.profile.ProfileKeeper;
import dev.conveyor.verticles.supervisor.Deployer.Deployment;
import io.vertx.core.Context;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import io.vertx.core.WorkerExecutor;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
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
  private final IsolationLog log;
  final Deployer deployer;
  private final Map<String, List<Deployment>> deployed = new HashMap<>();
  private final Map<String, String> failures = new TreeMap<>();
  private final ChangeQueues changes = new ChangeQueues();
  private final Map<String, String> busy = new HashMap<>();
  private final Map<String, String> configs = new HashMap<>();
  private final ColdStarts coldStarts;
  private final Residents residents;
  private final MemoryBudget budget;
  private final BringUp bringUp;
  private final FileLoads fileLoads;
  private final EnsembleKeeper ensembles;
  private final RepositoryIndex index;
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
    this.log = log;
    this.budget = sites.cpu().ledger();
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
    this.residents = new Residents(vertx, budget, changes::isBusy, this::evict);
    this.bringUp =
        new BringUp(
            new TimedLoads(vertx, loadLimits.atOnce(), loadLimits.timeout().toMillis()),
            loader,
            deployer,
            residents);
    this.fileLoads = new FileLoads(loaders, loader, this::forgetIfGone);
    this.ensembles =
        new EnsembleKeeper(context, loaders, loader.ensembles(catalog), catalog, events);
    this.index = new RepositoryIndex(deployed, ensembles, residents, busy, failures);
    this.coldStarts =
        new ColdStarts(
            vertx,
            residents,
            catalog,
            events,
            maxQueueSize,
            name -> changes.run(name, () -> loadIfCold(name)));
  }

  /**
   * Loads every model of the repository that is to be loaded at start, and takes in the others; a
   * model that fails does not stop the others.
   */
  public Future<Void> loadAll() {
    return loaders
        .executeBlocking(loader::names, false)
        .compose(
            names ->
                ensembles
                    .inOrder(names)
                    .compose(last -> loadModels(names, last).compose(v -> loadInOrder(last))))
        .onComplete(done -> ready = true)
        .mapEmpty();
  }

  private Future<Void> loadModels(List<String> names, List<String> ensemblesAmong) {
    List<Future<?>> loads = new ArrayList<>();
    for (String name : names) {
      if (!ensemblesAmong.contains(name)) {
        loads.add(onContext(() -> begin(name)).otherwiseEmpty());
      }
    }
    return loads.isEmpty() ? Future.succeededFuture() : Future.join(loads).mapEmpty();
  }

  private Future<Void> loadInOrder(List<String> names) {
    Future<Void> all = Future.succeededFuture();
    for (String name : names) {
      all = all.compose(v -> onContext(() -> begin(name, null)).otherwiseEmpty());
    }
    return all;
  }

  private Future<Void> begin(String name, @Nullable String configJson) {
    return changes.run(name, () -> doLoad(name, configJson));
  }

  private Future<Void> begin(String name) {
    return bringUp
        .survey(name, null)
        .transform(
            surveyed -> {
              Survey survey = surveyed.result();
              if (survey == null || survey.residency() == Residency.PINNED) {
                // What is wrong with the model the load tells.
                return changes.run(name, () -> doLoad(name, null));
              }
              takeIn(name, survey);
              boolean fits = survey.expectedBytes() <= budget.availableBytes();
              return survey.residency() == Residency.RESIDENT && fits
                  ? changes.run(name, () -> doLoad(name, null))
                  : Future.succeededFuture();
            });
  }

  private void takeIn(String name, Survey survey) {
    residents.register(name, survey.cold(), survey.expectedBytes());
    catalog.publish(name, survey.cold());
    events.onCold(name, survey.expectedBytes());
  }

  @Override
  public Future<Void> activate(String name, long deadlineNs, Future<?> givenUp) {
    Promise<Void> left = Promise.promise();
    givenUp.onComplete(done -> context.runOnContext(v -> left.tryComplete()));
    return onContext(
        () ->
            stopping
                ? Future.failedFuture(LoadErrors.shuttingDown())
                : deployed.containsKey(name)
                    ? Future.succeededFuture()
                    : coldStarts.await(name, deadlineNs, left.future()));
  }

  @Override
  public Future<Memory> memory() {
    return onContext(
        () ->
            Future.succeededFuture(
                new Memory(residents.lines(), residents.coldStarts(), residents.evictions())));
  }

  /**
   * Returns true once the first load of every model has ended, until the server stops; false while
   * models are deployed and none of them has an instance. One sick model among others does not make
   * the server unready: that would take the others away from their clients too.
   */
  @Override
  public boolean isReady() {
    List<ServedModel> all = ready ? catalog.all() : List.of();
    return ready && (all.isEmpty() || all.stream().anyMatch(ServedModel::isReady));
  }

  /**
   * Has the models that run on a device loaded anew, which leaves it out, because it is lost. What
   * insists on it stays, without an instance, and says why. From any thread.
   */
  public void onDeviceLost(String device, String reason) {
    context.runOnContext(
        v -> {
          for (Map.Entry<String, List<Deployment>> model : Map.copyOf(deployed).entrySet()) {
            if (model.getValue().stream().anyMatch(d -> d.crew().devices().contains(device))) {
              String name = model.getKey();
              Future<Void> unused =
                  changes.run(name, () -> doLoad(name, configs.get(name))).otherwiseEmpty();
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
          return changes.run(name, () -> doUnload(name)).compose(v -> unloadAlso(models));
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
        .onComplete(done -> deployer.close())
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
    Set<String> names = new HashSet<>(deployed.keySet());
    names.addAll(changes.names());
    names.addAll(ensembles.names());
    List<Future<Void>> unloading =
        names.stream().map(name -> changes.run(name, () -> unloadIfThere(name))).toList();
    return unloading.isEmpty() ? Future.succeededFuture() : Future.join(unloading).mapEmpty();
  }

  @Override
  public Future<List<Entry>> index() {
    return loaders
        .executeBlocking(loader::names, false)
        .compose(names -> onContext(() -> Future.succeededFuture(index.entries(names))));
  }

  private Future<Void> loadIfCold(String name) {
    return deployed.containsKey(name) ? Future.succeededFuture() : doLoad(name, configs.get(name));
  }

  private Future<Void> doLoad(String name, @Nullable String configJson) {
    if (stopping) {
      return Future.failedFuture(LoadErrors.shuttingDown());
    }
    busy.put(name, "LOADING");
    events.onLoading(name);
    return ensembles
        .isEnsemble(name, configJson)
        .compose(
            ensemble ->
                ensemble
                    ? ensembles.start(name, configJson).onSuccess(took -> retireModel(name))
                    : bringUp.start(
                        name, configJson, ready, running -> takeOver(name, configJson, running)))
        .onSuccess(tookNs -> serves(name, tookNs))
        .<Void>mapEmpty()
        .onComplete(
            done -> busy.remove(name),
            failure -> {
              busy.remove(name);
              String reason = String.valueOf(failure.getMessage());
              if (LoadErrors.isNotFound(failure)) {
                // Clients may ask for any name; nothing is kept of those that do not exist.
                failures.remove(name);
              } else {
                failures.put(name, reason);
                if (!isKnown(name)) {
                  catalog.withdraw(name, reason);
                }
              }
              onLoadFailed(name, failure, reason);
            })
        .recover(failure -> Future.failedFuture(LoadErrors.forClient(name, failure)));
  }

  private void onLoadFailed(String name, Throwable failure, String reason) {
    boolean serves = deployed.containsKey(name) || ensembles.contains(name);
    if (serves) {
      events.onReloadFailed(name, reason);
    } else {
      events.onLoadFailed(name, reason);
    }
    // Clients may ask for any name; what is counted is known.
    if (serves || !LoadErrors.isNotFound(failure)) {
      log.decided(name, "", Decision.LOAD_REFUSED, LoadErrors.label(failure), reason);
    }
  }

  private void forgetIfGone(String name) {
    if (!isKnown(name)) {
      failures.remove(name);
      catalog.forget(name);
    }
  }

  private boolean isKnown(String name) {
    return deployed.containsKey(name) || residents.contains(name) || ensembles.contains(name);
  }

  /** An ensemble has taken the place of a model. */
  private void retireModel(String name) {
    failures.remove(name);
    List<Deployment> old = deployed.remove(name);
    if (old != null) {
      Future<Void> unused = deployer.retireAll(old, List.of());
    }
  }

  /** The new version serves from here on, whatever becomes of the old one. */
  private Future<Void> takeOver(
      String name, @Nullable String configJson, List<Deployment> running) {
    ensembles.forget(name);
    catalog.publish(name, served(running));
    failures.remove(name);
    if (configJson == null) {
      configs.remove(name);
    } else {
      configs.put(name, configJson);
    }
    List<Deployment> old = deployed.put(name, running);
    return old == null
        ? Future.succeededFuture()
        : deployer.retireAll(old, running).otherwiseEmpty();
  }

  private void serves(String name, long tookNs) {
    List<Deployment> running = deployed.getOrDefault(name, List.of());
    if (running.stream().anyMatch(deployment -> deployment.served().isEvictable())) {
      residents.onLoaded(name, served(running), tookNs);
    } else {
      residents.remove(name);
    }
    for (Deployment deployment : running) {
      events.onReady(
          name,
          deployment.served().version(),
          deployment.plan(),
          deployment.weights().reservedBytes(),
          tookNs);
    }
    ensembles.madeOf(name).forEach((made, config) -> begin(made, config.orElse(null)));
  }

  private static List<ServedModel> served(List<Deployment> running) {
    return running.stream().map(Deployment::served).toList();
  }

  /** Takes a model out of memory; it goes on to take requests. */
  private Future<Void> evict(String name, String reason) {
    return changes.run(
        name,
        () -> {
          List<Deployment> running = deployed.remove(name);
          if (running == null) {
            return Future.succeededFuture();
          }
          busy.put(name, "UNLOADING");
          residents.onLeaving(name);
          events.onEvicted(name, reason);
          catalog.publish(name, residents.cold(name));
          return deployer
              .retireAll(running, List.of())
              .otherwiseEmpty()
              .onComplete(
                  gone -> {
                    busy.remove(name);
                    residents.onGone(name);
                    events.onCold(name, residents.expectedBytes(name));
                  });
        });
  }

  private Future<Void> unloadIfThere(String name) {
    return isKnown(name) ? doUnload(name) : Future.succeededFuture();
  }

  private Future<Void> doUnload(String name) {
    List<Deployment> running = deployed.remove(name);
    if (running == null && !isKnown(name)) {
      return Future.failedFuture(
          new InferenceException(ErrorCode.NOT_FOUND, "model '" + name + "' is not loaded"));
    }
    residents.remove(name);
    configs.remove(name);
    failures.remove(name);
    busy.put(name, "UNLOADING");
    catalog.withdraw(name, "unloaded");
    return ensembles
        .stop(name)
        .compose(v -> deployer.retireAll(running == null ? List.of() : running, List.of()))
        .eventually(() -> fileLoads.forget(name))
        .onComplete(
            done -> {
              busy.remove(name);
              events.onUnloaded(name);
            });
  }

  private <T> Future<T> onContext(Supplier<Future<T>> task) {
    Promise<T> promise = Promise.promise();
    context.runOnContext(v -> task.get().onComplete(promise));
    return promise.future();
  }
}
