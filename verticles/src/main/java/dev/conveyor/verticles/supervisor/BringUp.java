package dev.conveyor.verticles.supervisor;

import dev.conveyor.memory.BudgetExceededException;
import dev.conveyor.models.backend.LoadedModel;
import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.supervisor.Deployer.Deployment;
import io.vertx.core.Future;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The way of a model from its files to instances that the scheduler knows: room, weights,
 * instances.
 *
 * <p>While others are served, loads take turns, so that those feel no more than one load, and so
 * that room that was made for one is not given to another. A load whose model does not fit has
 * {@link Residents} evict others first. At start, loads go side by side and evict nobody. A load
 * that does not end is given up by {@link TimedLoads}, so that it holds up the others no longer.
 *
 * <p>Thread-confined to the supervisor's context.
 */
final class BringUp {

  /** A load finds out on the way what it needs; so often it may make more room. */
  private static final int MAX_ATTEMPTS = 4;

  private final TimedLoads loads;
  private final ModelLoader loader;
  private final Deployer deployer;
  private final Residents residents;
  private Future<?> turn = Future.succeededFuture();
  private long deployments;

  BringUp(TimedLoads loads, ModelLoader loader, Deployer deployer, Residents residents) {
    this.loads = loads;
    this.loader = loader;
    this.deployer = deployer;
    this.residents = residents;
  }

  /**
   * Brings a model up; all its versions or none.
   *
   * @param configJson replaces the model's configuration file; null reads the file
   * @param present devices that the model is on, if it is loaded anew
   * @param serving whether others are served meanwhile
   * @param takeOver puts the new deployment in the place of the old one; the next load waits for it
   * @return how long it took once there was room, in nanoseconds
   */
  Future<Long> start(
      String name,
      @Nullable String configJson,
      Set<String> present,
      boolean serving,
      Function<List<Deployment>, Future<Void>> takeOver) {
    if (!serving) {
      return comeUp(name, configJson, present, false, takeOver);
    }
    return inTurn(
        () ->
            survey(name, configJson)
                .compose(
                    survey ->
                        withRoom(
                            name,
                            configJson,
                            present,
                            takeOver,
                            new Attempt(
                                1, residents.needs(name, survey.expectedBytes()), null, null))));
  }

  /**
   * One more copy of a version.
   *
   * @param beganNs when its load began, after its turn had come
   */
  record Copy(LoadedModel weights, long beganNs) {}

  /** Loads one more copy of a version, when it is its turn among the loads. */
  Future<Copy> loadCopy(DeviceLoads.Source source, String device) {
    return inTurn(
        () ->
            loads.run(
                source.version().config().name(),
                () -> {
                  long beganNs = System.nanoTime();
                  return new Copy(loader.loadCopy(source, device), beganNs);
                },
                late -> late.weights().close()));
  }

  /** Looks at a model; see {@link ModelLoader#survey}. */
  Future<Survey> survey(String name, @Nullable String configJson) {
    return loads.run(name, () -> loader.survey(name, configJson), survey -> {});
  }

  /**
   * Returns the refusal of a ledger in which others could make room; they cannot for a model that
   * is larger than its own limit.
   */
  private Optional<BudgetExceededException> fullLedger(Throwable failure) {
    for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
      if (cause instanceof BudgetExceededException e && residents.isLedger(e.ledger())) {
        return Optional.of(e);
      }
    }
    return Optional.empty();
  }

  private <T> Future<T> inTurn(Supplier<Future<T>> load) {
    Future<T> mine = turn.transform(before -> load.get());
    turn = mine;
    return mine;
  }

  /**
   * One try to load a model.
   *
   * @param needs what it is thought to need, by ledger
   * @param refused the ledger that had no room for the try before; null for the first
   * @param before how the try before failed, which says more about the model than that there is no
   *     more room; null for the first
   */
  private record Attempt(
      int number, Map<String, Long> needs, @Nullable String refused, @Nullable Throwable before) {}

  private Future<Long> withRoom(
      String name,
      @Nullable String configJson,
      Set<String> present,
      Function<List<Deployment>, Future<Void>> takeOver,
      Attempt attempt) {
    return residents
        .makeRoom(name, attempt.needs(), attempt.refused())
        .recover(
            noRoom -> Future.failedFuture(attempt.before() == null ? noRoom : attempt.before()))
        .compose(v -> comeUp(name, configJson, present, true, takeOver))
        .recover(
            failure -> {
              Optional<BudgetExceededException> full = fullLedger(failure);
              boolean isLast = attempt.number() == MAX_ATTEMPTS || failure == attempt.before();
              if (full.isEmpty() || isLast) {
                return Future.failedFuture(failure);
              }
              Attempt next =
                  new Attempt(
                      attempt.number() + 1,
                      residents.raised(attempt.needs(), full.get()),
                      full.get().ledger(),
                      failure);
              return withRoom(name, configJson, present, takeOver, next);
            });
  }

  private Future<Long> comeUp(
      String name,
      @Nullable String configJson,
      Set<String> present,
      boolean serving,
      Function<List<Deployment>, Future<Void>> takeOver) {
    residents.onLoading(name);
    final long start = System.nanoTime();
    long deployment = ++deployments;
    return loads
        .run(
            name,
            () -> loader.load(name, configJson, deployment, present, serving),
            versions -> versions.forEach(version -> version.weights().close()))
        .map(versions -> continuing(name, versions))
        .compose(deployer::deployAll)
        .compose(
            running -> {
              long tookNs = System.nanoTime() - start;
              return takeOver.apply(running).map(tookNs);
            });
  }

  /** Counters go on where those of the last load stopped, if the model was evicted in between. */
  private List<LoadedVersion> continuing(String name, List<LoadedVersion> versions) {
    Map<String, ServedModel> before = new HashMap<>();
    residents.cold(name).forEach(cold -> before.put(cold.version(), cold));
    return versions.stream()
        .map(
            version -> {
              ServedModel cold = before.get(version.served().version());
              return cold == null ? version : version.with(version.served().continuing(cold));
            })
        .toList();
  }
}
