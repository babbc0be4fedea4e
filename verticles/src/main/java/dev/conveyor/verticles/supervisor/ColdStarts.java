package dev.conveyor.verticles.supervisor;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.RefusalReason;
import dev.conveyor.verticles.ColdRequest;
import dev.conveyor.verticles.ModelCatalog;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Requests for models that are not in memory: the first one has the model loaded, the others wait
 * with it, as many as may wait in the model's queue.
 *
 * <p>A request that cannot wait for so long has the model loaded all the same, for those that come
 * again: if every client were in a hurry, the model would otherwise never be there.
 *
 * <p>While a load that failed is not tried again, the model is unavailable, and says why.
 *
 * <p>Thread-confined to the supervisor's context.
 */
final class ColdStarts {

  private static final class Start {
    private final Promise<Void> load = Promise.promise();
    private final ColdRoom room;

    Start(ColdRoom room) {
      this.room = room;
    }
  }

  private final Vertx vertx;
  private final Residents residents;
  private final ModelCatalog catalog;
  private final SupervisorEvents events;
  private final int maxQueueSize;
  private final ChangeQueues changes;
  private final Function<String, Future<Void>> loader;
  private final Map<String, Start> starts = new HashMap<>();
  private final Map<String, Long> retries = new HashMap<>();
  private boolean closed;

  /**
   * Creates the waiting rooms.
   *
   * @param maxQueueSize requests that may wait per model where its configuration does not say
   * @param changes what else becomes of models, in its order
   * @param loader loads a model when its turn has come, unless it is there or gone by then
   */
  ColdStarts(
      Vertx vertx,
      Residents residents,
      ModelCatalog catalog,
      SupervisorEvents events,
      int maxQueueSize,
      ChangeQueues changes,
      Function<String, Future<Void>> loader) {
    this.vertx = vertx;
    this.residents = residents;
    this.catalog = catalog;
    this.events = events;
    this.maxQueueSize = maxQueueSize;
    this.changes = changes;
    this.loader = loader;
  }

  /**
   * Waits until the model serves, or fails at once if that would be too late or too many. Too late
   * or not, the model is loaded from now on.
   *
   * @param left completes on this context when the request waits no longer
   */
  Future<Void> await(String name, ColdRequest request, Future<Void> left) {
    if (closed) {
      return Future.failedFuture(InferenceException.shuttingDown());
    }
    if (!residents.contains(name)) {
      return Future.failedFuture(LoadErrors.unloaded(name));
    }
    Optional<InferenceException> refusal = residents.refusal(name, request.deadlineNs());
    @Nullable Start start = starts.get(name);
    boolean late = refusal.isPresent() && refusal.get().reason() == RefusalReason.DEADLINE;
    if (start == null && (late || refusal.isEmpty())) {
      start = begin(name);
    }
    if (start == null || refusal.isPresent()) {
      return refused(name, refusal.orElseThrow());
    }
    InferenceException full = start.room.enter(request, residents.readyInNs(name));
    if (full != null) {
      return refused(name, full);
    }
    ColdRoom room = start.room;
    left.onComplete(v -> room.leave(request));
    events.onColdRequest(name);
    return start.load.future();
  }

  private Future<Void> refused(String name, InferenceException refusal) {
    RefusalReason reason = refusal.reason();
    events.onColdRefused(name, reason == null ? "load_failed" : reason.label());
    return Future.failedFuture(refusal);
  }

  /** Refuses every request that waits or comes; the loads go on. */
  void refuseAll() {
    closed = true;
    starts.values().forEach(start -> start.load.tryFail(InferenceException.shuttingDown()));
  }

  /** Tries no failed load again. */
  void close() {
    retries.values().forEach(vertx::cancelTimer);
    retries.clear();
  }

  private Start begin(String name) {
    residents.onColdStart(name);
    events.onColdStart(name);
    // A load that fails at once must find its start in the map to take it out.
    Start start = new Start(new ColdRoom(residents.cold(name).get(0).config(), maxQueueSize));
    starts.put(name, start);
    changes
        .run(name, () -> loader.apply(name))
        .onComplete(
            v -> {
              starts.remove(name);
              start.load.tryComplete();
            },
            failure -> {
              starts.remove(name);
              onFailed(name, failure);
              start.load.tryFail(asRefusal(name, failure));
            });
    return start;
  }

  /** What is wrong with the model is not the fault of the request. */
  private static InferenceException asRefusal(String name, Throwable failure) {
    return failure instanceof InferenceException e && e.code() != ErrorCode.INVALID_REQUEST
        ? e
        : new InferenceException(
            ErrorCode.UNAVAILABLE, "Model '" + name + "' is not ready: " + failure.getMessage());
  }

  private void onFailed(String name, Throwable cause) {
    if (!residents.contains(name)) {
      return;
    }
    boolean noRoom = cause instanceof InferenceException e && e.code() == ErrorCode.OUT_OF_MEMORY;
    long backoffNs = residents.onLoadFailed(name, String.valueOf(cause.getMessage()), noRoom);
    catalog.withdrawUntil(
        name,
        "its last load failed, it is tried again after %d ms: %s"
            .formatted(TimeUnit.NANOSECONDS.toMillis(backoffNs), cause.getMessage()),
        System.nanoTime() + backoffNs);
    long timer =
        vertx.setTimer(
            TimeUnit.NANOSECONDS.toMillis(backoffNs) + 1,
            id -> {
              retries.remove(name, id);
              if (residents.contains(name) && catalog.versions(name).isEmpty()) {
                catalog.publish(name, residents.cold(name));
              }
            });
    @Nullable Long before = retries.put(name, timer);
    if (before != null) {
      vertx.cancelTimer(before);
    }
  }
}
