package dev.conveyor.verticles.supervisor;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.verticles.ModelCatalog;
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
 */
public final class ModelSupervisor implements RepositoryControl {

  private final Context context;
  private final WorkerExecutor loaders;
  private final ModelLoader loader;
  private final ModelCatalog catalog;
  private final SupervisorEvents events;
  private final Deployer deployer;
  private final Map<String, List<Deployment>> deployed = new HashMap<>();
  private final Map<String, String> failures = new TreeMap<>();
  private final Map<String, Future<Void>> tails = new HashMap<>();
  private final Map<String, String> busy = new HashMap<>();
  private long deployments;
  private boolean stopping;
  private volatile boolean ready;

  /**
   * Creates a supervisor that lives on {@code context}.
   *
   * @param device name of the device in the scheduler
   * @param maxQueueSize requests that may wait per model where its configuration does not say
   * @param log told of every decision about instances
   */
  public ModelSupervisor(
      Vertx vertx,
      Context context,
      WorkerExecutor loaders,
      ModelLoader loader,
      ModelCatalog catalog,
      SupervisorEvents events,
      String device,
      int maxQueueSize,
      ProfileKeeper profiles,
      IsolationLog log) {
    this.context = context;
    this.loaders = loaders;
    this.loader = loader;
    this.catalog = catalog;
    this.events = events;
    this.deployer = new Deployer(vertx, context, loaders, device, maxQueueSize, profiles, log);
  }

  /** Loads every model of the repository; a model that fails does not stop the others. */
  public Future<Void> loadAll() {
    return loaders
        .executeBlocking(loader::names, false)
        .compose(
            names -> {
              List<Future<?>> loads = new ArrayList<>();
              for (String name : names) {
                loads.add(load(name, null).otherwiseEmpty());
              }
              return loads.isEmpty() ? Future.succeededFuture() : Future.join(loads);
            })
        .onComplete(done -> ready = true)
        .mapEmpty();
  }

  /**
   * Returns true once the first load of every model has ended, until the server stops; false while
   * models are deployed and none of them has an instance. One sick model among others does not make
   * the server unready: that would take the others away from their clients too.
   */
  @Override
  public boolean isReady() {
    List<ServedModel> all = ready ? catalog.all() : List.of();
    return ready
        && (all.isEmpty() || all.stream().anyMatch(served -> served.instances().isReady()));
  }

  /** Makes {@link #isReady} false: the server is stopping. */
  public void stopping() {
    ready = false;
  }

  @Override
  public Future<Void> load(String name, @Nullable String configJson) {
    return onContext(() -> oneAtATime(name, () -> doLoad(name, configJson)));
  }

  @Override
  public Future<Void> unload(String name) {
    return onContext(() -> oneAtATime(name, () -> doUnload(name)));
  }

  /**
   * Takes every model out of service, the requests that are queued first. Loads under way are
   * waited for and undone; none begins any more.
   */
  public Future<Void> unloadAll() {
    return onContext(this::unloadEvery).onComplete(done -> deployer.close());
  }

  private Future<Void> unloadEvery() {
    stopping = true;
    Set<String> names = new HashSet<>(deployed.keySet());
    names.addAll(tails.keySet());
    List<Future<Void>> unloading =
        names.stream().map(name -> oneAtATime(name, () -> unloadIfThere(name))).toList();
    return unloading.isEmpty() ? Future.succeededFuture() : Future.join(unloading).mapEmpty();
  }

  @Override
  public Future<List<Entry>> index() {
    return loaders
        .executeBlocking(loader::names, false)
        .compose(names -> onContext(() -> Future.succeededFuture(entries(names))));
  }

  private List<Entry> entries(List<String> names) {
    Map<String, List<Entry>> entries = new TreeMap<>();
    for (String name : names) {
      entries.put(name, new ArrayList<>());
    }
    deployed.forEach(
        (name, running) -> {
          List<Entry> lines = entries.computeIfAbsent(name, n -> new ArrayList<>());
          for (Deployment deployment : running) {
            lines.add(entry(deployment.served()));
          }
        });
    entries.forEach(
        (name, lines) -> {
          if (lines.isEmpty()) {
            String reason = failures.getOrDefault(name, "unloaded");
            lines.add(new Entry(name, "", busy.getOrDefault(name, "UNAVAILABLE"), reason));
          }
        });
    return entries.values().stream().flatMap(List::stream).toList();
  }

  private static Entry entry(ServedModel served) {
    boolean isUp = served.instances().isReady();
    return new Entry(
        served.name(),
        served.version(),
        isUp ? "READY" : "UNAVAILABLE",
        served.instances().reason());
  }

  private Future<Void> doLoad(String name, @Nullable String configJson) {
    if (stopping) {
      return Future.failedFuture(
          new InferenceException(ErrorCode.SHUTTING_DOWN, "The server is shutting down"));
    }
    final long start = System.nanoTime();
    busy.put(name, "LOADING");
    events.onLoading(name);
    long deployment = ++deployments;
    return loaders
        .executeBlocking(() -> loader.load(name, configJson, deployment), false)
        .compose(deployer::deployAll)
        .compose(
            running -> {
              catalog.publish(name, running.stream().map(Deployment::served).toList());
              failures.remove(name);
              List<Deployment> old = deployed.put(name, running);
              // The new version serves, whatever becomes of the old one.
              return old == null
                  ? Future.<Void>succeededFuture()
                  : deployer.retireAll(old).otherwiseEmpty();
            })
        .onComplete(
            done -> {
              busy.remove(name);
              for (Deployment running : deployed.getOrDefault(name, List.of())) {
                long tookNs = System.nanoTime() - start;
                events.onReady(
                    name,
                    running.served().version(),
                    running.plan(),
                    running.weights().reservedBytes(),
                    tookNs);
              }
            },
            failure -> {
              busy.remove(name);
              String reason = String.valueOf(failure.getMessage());
              if (isNotFound(failure)) {
                // Clients may ask for any name; nothing is kept of those that do not exist.
                failures.remove(name);
              } else {
                failures.put(name, reason);
                if (!deployed.containsKey(name)) {
                  catalog.withdraw(name, reason);
                }
              }
              events.onLoadFailed(name, reason);
            })
        .recover(failure -> Future.failedFuture(asClientError(name, failure)));
  }

  private Future<Void> unloadIfThere(String name) {
    return deployed.containsKey(name) ? doUnload(name) : Future.succeededFuture();
  }

  private Future<Void> doUnload(String name) {
    List<Deployment> running = deployed.remove(name);
    if (running == null) {
      return Future.failedFuture(
          new InferenceException(ErrorCode.NOT_FOUND, "model '" + name + "' is not loaded"));
    }
    busy.put(name, "UNLOADING");
    catalog.withdraw(name, "unloaded");
    return deployer
        .retireAll(running)
        .onComplete(
            done -> {
              busy.remove(name);
              events.onUnloaded(name);
            });
  }

  private Future<Void> oneAtATime(String name, Supplier<Future<Void>> change) {
    Future<Void> before = tails.getOrDefault(name, Future.succeededFuture());
    Future<Void> after = before.transform(done -> change.get());
    tails.put(name, after);
    after.onComplete(done -> tails.remove(name, after));
    return after;
  }

  private <T> Future<T> onContext(Supplier<Future<T>> task) {
    Promise<T> promise = Promise.promise();
    context.runOnContext(v -> task.get().onComplete(promise));
    return promise.future();
  }

  private static boolean isNotFound(Throwable failure) {
    return failure instanceof InferenceException e && e.code() == ErrorCode.NOT_FOUND;
  }

  private static Throwable asClientError(String name, Throwable failure) {
    return failure instanceof InferenceException
        ? failure
        : InferenceException.invalid(
            "failed to load '%s': %s".formatted(name, failure.getMessage()));
  }
}
