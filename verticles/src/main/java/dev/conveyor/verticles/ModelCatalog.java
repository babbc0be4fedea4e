package dev.conveyor.verticles;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.config.Rollout;
import dev.conveyor.models.steps.Steps;
import dev.conveyor.scheduler.rollout.RolloutGuard;
import dev.conveyor.verticles.ensemble.Ensemble;
import dev.conveyor.verticles.metrics.ModelStats;
import dev.conveyor.verticles.metrics.RecordingModelStats;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * What is served right now. Thread-safe; written by the supervisor, read by every front end. Each
 * model's versions are replaced as a whole.
 */
public final class ModelCatalog {

  private static final Comparator<ServedModel> BY_NAME_AND_VERSION =
      Comparator.comparing(ServedModel::name)
          .thenComparing(served -> Long.parseLong(served.version()));

  private final Map<String, NavigableMap<Long, ServedModel>> models = new ConcurrentHashMap<>();
  private final Map<String, ModelStats> stepStats = new ConcurrentHashMap<>();
  private final Map<String, Absence> unavailable = new ConcurrentHashMap<>();
  private final Map<String, Trial> trials = new ConcurrentHashMap<>();

  /**
   * A version that is tried beside the one that serves.
   *
   * @param deployments both versions' names inside the scheduler
   */
  private record Trial(long stable, RolloutGuard guard, List<String> deployments) {

    /** A load that an operator asks for begins anew; memory that comes and goes does not. */
    boolean goesOn(Trial before) {
      boolean sameLoad =
          deployments.equals(before.deployments)
              || deployments.contains("")
              || before.deployments.contains("");
      return stable == before.stable && sameLoad && guard.rollout().equals(before.guard.rollout());
    }
  }

  /**
   * Finds a ready model.
   *
   * @param version empty for the highest one that is not on trial
   * @throws InferenceException NOT_FOUND if it is not known, UNAVAILABLE if it is not ready
   */
  public ServedModel find(String name, String version) {
    NavigableMap<Long, ServedModel> versions = models.get(name);
    if (versions == null) {
      throw missing(name);
    }
    if (version.isEmpty()) {
      Trial trial = trials.get(name);
      ServedModel stable = trial == null ? null : versions.get(trial.stable());
      return stable == null ? versions.lastEntry().getValue() : stable;
    }
    ServedModel served = versions.get(parseVersion(name, version));
    if (served == null) {
      throw new InferenceException(
          ErrorCode.NOT_FOUND,
          "Request for unknown model: '" + name + "' version " + version + " is not available");
    }
    return served;
  }

  /**
   * Finds a model that has an instance to run it.
   *
   * @param version empty for the highest one
   * @throws InferenceException NOT_FOUND if it is not known, UNAVAILABLE if it is not ready
   */
  public ServedModel findReady(String name, String version) {
    ServedModel served = find(name, version);
    if (!served.isReady()) {
      throw new InferenceException(
          ErrorCode.UNAVAILABLE,
          "Model '" + name + "' is not ready: " + served.instances().reason());
    }
    return served;
  }

  /**
   * Finds what clients may ask about: a ready model, or a step without a model that a served
   * ensemble names.
   *
   * @param version empty for the highest one
   * @throws InferenceException as {@link #find}
   */
  public ServedModel describe(String name, String version) {
    if (!Steps.isStep(name) || models.containsKey(name)) {
      return find(name, version);
    }
    for (ServedModel served : all()) {
      Ensemble ensemble = served.ensemble();
      ServedModel step = ensemble == null ? null : ensemble.builtIn().get(name);
      if (step != null && (version.isEmpty() || version.equals(step.version()))) {
        return step;
      }
    }
    throw missing(name);
  }

  /**
   * Returns the version that was asked for or, if none was, all of them, ascending.
   *
   * @throws InferenceException as {@link #describe}
   */
  public List<ServedModel> described(String name, String version) {
    ServedModel served = describe(name, version);
    List<ServedModel> all = versions(name);
    return version.isEmpty() && !all.isEmpty() ? all : List.of(served);
  }

  /** Returns the counters of a step without a model; the same for all ensembles that name it. */
  public ModelStats statsOfStep(String name) {
    return stepStats.computeIfAbsent(name, unused -> new RecordingModelStats());
  }

  /** Returns what guards the trial of a version of this model; null if none is tried. */
  public @Nullable RolloutGuard rollout(String name) {
    Trial trial = trials.get(name);
    return trial == null ? null : trial.guard();
  }

  /** Returns what is tried, by the name of the model. */
  public Map<String, RolloutGuard> rollouts() {
    Map<String, RolloutGuard> guards = new TreeMap<>();
    trials.forEach((name, trial) -> guards.put(name, trial.guard()));
    return guards;
  }

  /** Returns the ready versions of a model, ascending; empty if there are none. */
  public List<ServedModel> versions(String name) {
    NavigableMap<Long, ServedModel> versions = models.get(name);
    return versions == null ? List.of() : List.copyOf(versions.values());
  }

  /** Returns every ready version of every model, by name and version. */
  public List<ServedModel> all() {
    return models.values().stream()
        .flatMap(v -> v.values().stream())
        .sorted(BY_NAME_AND_VERSION)
        .toList();
  }

  /** Makes these, and only these, the ready versions of a model. */
  public void publish(String name, Collection<ServedModel> served) {
    NavigableMap<Long, ServedModel> versions = new TreeMap<>();
    for (ServedModel model : served) {
      versions.put(Long.parseLong(model.version()), model);
    }
    if (versions.isEmpty()) {
      throw new IllegalArgumentException(name + " has no version; withdraw it instead");
    }
    unavailable.remove(name);
    publishTrial(name, versions);
    models.put(name, versions);
  }

  /** Takes a model out of service; {@code reason} is what clients are told. */
  public void withdraw(String name, String reason) {
    withdraw(name, new Absence(reason, null));
  }

  /**
   * Takes a model out of service for a while.
   *
   * @param retryAtNs when it is tried again, by {@link System#nanoTime}; clients are told
   */
  public void withdrawUntil(String name, String reason, long retryAtNs) {
    withdraw(name, new Absence(reason, retryAtNs));
  }

  private void withdraw(String name, Absence absence) {
    unavailable.put(name, absence);
    trials.remove(name);
    models.remove(name);
  }

  /** Forgets why a model is not there: it is unknown from here on. */
  public void forget(String name) {
    unavailable.remove(name);
  }

  private void publishTrial(String name, NavigableMap<Long, ServedModel> versions) {
    Rollout rollout = versions.lastEntry().getValue().config().extensions().rollout();
    ServedModel candidate = versions.get(rollout.candidate());
    Long stable =
        versions.descendingKeySet().stream()
            .filter(version -> version != rollout.candidate())
            .findFirst()
            .orElse(null);
    if (candidate == null || stable == null) {
      trials.remove(name);
      return;
    }
    ServedModel serving = versions.get(stable);
    List<String> deployments =
        List.of(serving == null ? "" : serving.deployedVersion(), candidate.deployedVersion());
    Trial trial = new Trial(stable, new RolloutGuard(rollout), deployments);
    Trial before = trials.get(name);
    trials.put(
        name,
        before != null && trial.goesOn(before)
            ? new Trial(stable, before.guard(), deployments)
            : trial);
  }

  private InferenceException missing(String name) {
    Absence absence = unavailable.get(name);
    return absence == null
        ? new InferenceException(
            ErrorCode.NOT_FOUND, "Request for unknown model: '" + name + "' is not found")
        : new InferenceException(
            ErrorCode.UNAVAILABLE,
            "Model '" + name + "' is not ready: " + absence.reason(),
            null,
            absence.retryAfterNs());
  }

  /** Why a model is not there, and when it is tried again; null if nobody knows. */
  private record Absence(String reason, @Nullable Long retryAtNs) {

    long retryAfterNs() {
      return retryAtNs == null
          ? InferenceException.UNKNOWN
          : Math.max(1, retryAtNs - System.nanoTime());
    }
  }

  private static long parseVersion(String name, String version) {
    try {
      return Long.parseLong(version);
    } catch (NumberFormatException e) {
      throw InferenceException.invalid(
          "version of model '" + name + "' must be a number, was '" + version + "'");
    }
  }
}
