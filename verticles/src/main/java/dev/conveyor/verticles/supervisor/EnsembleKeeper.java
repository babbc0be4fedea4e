package dev.conveyor.verticles.supervisor;

import dev.conveyor.verticles.ModelCatalog;
import dev.conveyor.verticles.ServedModel;
import io.vertx.core.Context;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.WorkerExecutor;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * The ensembles that serve, and those that wait for a model. They hold no memory of their own, so
 * they come and go at once; when a model comes, the ensembles that are made of it are checked
 * against it anew.
 *
 * <p>Thread-confined to the supervisor's context.
 */
final class EnsembleKeeper {

  private static final InstancePlan NO_INSTANCES = InstancePlan.none();

  private final Context context;
  private final WorkerExecutor loaders;
  private final EnsembleLoader loader;
  private final ModelCatalog catalog;
  private final SupervisorEvents events;
  private final Map<String, ServedModel> serving = new TreeMap<>();
  private final Map<String, Optional<String>> waiting = new HashMap<>();
  private final Map<String, Optional<String>> configs = new HashMap<>();

  EnsembleKeeper(
      Context context,
      WorkerExecutor loaders,
      EnsembleLoader loader,
      ModelCatalog catalog,
      SupervisorEvents events) {
    this.context = context;
    this.loaders = loaders;
    this.loader = loader;
    this.catalog = catalog;
    this.events = events;
  }

  /** Tells whether this is an ensemble; false if that cannot be told. */
  Future<Boolean> isEnsemble(String name, @Nullable String configJson) {
    return loaders
        .executeBlocking(() -> loader.isEnsemble(name, configJson), false)
        .map(Objects::requireNonNull);
  }

  /** Returns the ensembles among the models, those that others are made of first. */
  Future<List<String>> inOrder(List<String> names) {
    return loaders.executeBlocking(() -> loader.inOrder(names), false).map(Objects::requireNonNull);
  }

  boolean contains(String name) {
    return serving.containsKey(name);
  }

  /** Returns the ensemble of this name, if it serves. */
  List<ServedModel> served(String name) {
    ServedModel served = serving.get(name);
    return served == null ? List.of() : List.of(served);
  }

  Set<String> names() {
    return new HashSet<>(serving.keySet());
  }

  /** Loads or replaces an ensemble; returns how long it took, in nanoseconds. */
  Future<Long> start(String name, @Nullable String configJson) {
    final long start = System.nanoTime();
    return loaders
        .executeBlocking(() -> loader.load(name, configJson), false)
        .map(
            served -> {
              long tookNs = System.nanoTime() - start;
              ServedModel old = serving.put(name, served);
              waiting.remove(name);
              configs.put(name, Optional.ofNullable(configJson));
              catalog.publish(name, List.of(served));
              if (old != null) {
                old.entrance().close(() -> {});
              }
              events.onReady(name, served.version(), NO_INSTANCES, 0, tookNs);
              return tookNs;
            })
        .recover(failure -> afterFailure(name, configJson, failure));
  }

  /** What served before goes on, unless its models are not what they were. */
  private Future<Long> afterFailure(String name, @Nullable String configJson, Throwable failure) {
    ServedModel old = serving.get(name);
    if (old == null) {
      waiting.put(name, Optional.ofNullable(configJson));
      return Future.failedFuture(failure);
    }
    return loaders
        .executeBlocking(() -> loader.stillFits(old), false)
        .compose(
            fits -> {
              if (!fits) {
                forget(name);
                waiting.put(name, Optional.ofNullable(configJson));
              }
              return Future.failedFuture(failure);
            });
  }

  /** Takes an ensemble out of service; completes when nobody is in it any more. */
  Future<Void> stop(String name) {
    waiting.remove(name);
    configs.remove(name);
    ServedModel served = serving.remove(name);
    if (served == null) {
      return Future.succeededFuture();
    }
    Promise<Void> empty = Promise.promise();
    served.entrance().close(() -> context.runOnContext(v -> empty.complete()));
    return empty.future();
  }

  /** A model of its own has this name now, or nothing. */
  void forget(String name) {
    Future<Void> unused = stop(name);
  }

  /** Returns the ensembles that are made of this model, with the configurations to load them by. */
  Map<String, Optional<String>> madeOf(String model) {
    Map<String, Optional<String>> affected = new TreeMap<>(waiting);
    serving.forEach(
        (name, served) -> {
          if (models(served).contains(model)) {
            affected.put(name, configs.getOrDefault(name, Optional.empty()));
          }
        });
    affected.remove(model);
    return affected;
  }

  /** Returns the models that this ensemble is made of and no other; none if it is no ensemble. */
  Set<String> madeOfAlone(String name) {
    ServedModel ensemble = serving.get(name);
    Set<String> models = ensemble == null ? new HashSet<>() : models(ensemble);
    serving.forEach(
        (other, served) -> {
          if (!other.equals(name)) {
            models.removeAll(models(served));
          }
        });
    return models;
  }

  private static Set<String> models(ServedModel ensemble) {
    Set<String> models = new HashSet<>();
    ensemble
        .config()
        .ensemble()
        .ifPresent(config -> config.steps().forEach(step -> models.add(step.model())));
    return models;
  }
}
