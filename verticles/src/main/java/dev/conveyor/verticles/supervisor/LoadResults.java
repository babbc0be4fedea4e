package dev.conveyor.verticles.supervisor;

import dev.conveyor.verticles.ModelCatalog;
import dev.conveyor.verticles.isolation.Decision;
import dev.conveyor.verticles.isolation.IsolationLog;
import dev.conveyor.verticles.supervisor.Deployer.Deployment;
import io.vertx.core.AsyncResult;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * What is going on with models and what went wrong, for those who ask, and for those who listen.
 *
 * <p>Thread-confined to the supervisor's context, except for {@link #allFailed}.
 */
final class LoadResults {

  private final ModelCatalog catalog;
  private final SupervisorEvents events;
  private final IsolationLog log;
  private final Map<String, String> busy = new HashMap<>();
  private final Map<String, String> failures = new TreeMap<>();
  private volatile boolean allFailed;

  LoadResults(ModelCatalog catalog, SupervisorEvents events, IsolationLog log) {
    this.catalog = catalog;
    this.events = events;
    this.log = log;
  }

  /** Returns what is going on, by model; not a copy. */
  Map<String, String> busy() {
    return busy;
  }

  /** Returns why the last load failed, by model; not a copy. */
  Map<String, String> failures() {
    return failures;
  }

  /** The first loads have ended. */
  void atStart(AsyncResult<Void> ended) {
    allFailed = !failures.isEmpty() && catalog.all().isEmpty();
  }

  /**
   * Returns true if loads failed at the start and none has succeeded, then or since. From any
   * thread.
   */
  boolean allFailed() {
    return allFailed;
  }

  void loading(String name) {
    busy.put(name, "LOADING");
    events.onLoading(name);
  }

  void unloading(String name) {
    busy.put(name, "UNLOADING");
  }

  void ended(String name) {
    busy.remove(name);
  }

  /** Takes note of versions that have come into service. */
  void serves(String name, List<Deployment> running, long tookNs) {
    allFailed = false;
    for (Deployment deployment : running) {
      deployment.crew().loadNs(tookNs);
      events.onReady(
          name,
          deployment.served().version(),
          deployment.version().plan(),
          deployment.version().weights().reservedBytes(),
          tookNs);
    }
  }

  /** Forgets that a load failed. */
  void forget(String name) {
    failures.remove(name);
  }

  /**
   * Takes note of a load that failed.
   *
   * @param serves whether what was there before serves still
   * @param known whether the model takes requests
   */
  void failed(String name, Throwable failure, boolean serves, boolean known) {
    String reason = String.valueOf(failure.getMessage());
    // Clients may ask for any name; nothing is kept of those that do not exist.
    boolean exists = !LoadErrors.isNotFound(failure);
    if (exists) {
      failures.put(name, reason);
    } else {
      failures.remove(name);
    }
    if (exists && !known) {
      catalog.withdraw(name, reason);
    }
    if (serves) {
      events.onReloadFailed(name, reason);
    } else {
      events.onLoadFailed(name, reason);
    }
    if (serves || exists) {
      log.decided(name, "", Decision.LOAD_REFUSED, LoadErrors.label(failure), reason);
    }
  }
}
