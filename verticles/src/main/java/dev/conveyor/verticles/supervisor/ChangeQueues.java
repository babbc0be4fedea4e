package dev.conveyor.verticles.supervisor;

import io.vertx.core.Future;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;

/**
 * Changes to one model happen one after the other, changes to different models at the same time.
 *
 * <p>Thread-confined: owned by the {@link ModelSupervisor}, on its context.
 */
final class ChangeQueues {

  private final Map<String, Future<Void>> tails = new HashMap<>();

  /** Begins a change when those before it have ended, well or not. */
  Future<Void> run(String name, Supplier<Future<Void>> change) {
    Future<Void> before = tails.getOrDefault(name, Future.succeededFuture());
    Future<Void> after = before.transform(done -> change.get());
    tails.put(name, after);
    after.onComplete(done -> tails.remove(name, after));
    return after;
  }

  /** Returns true while a model is being changed. */
  boolean isBusy(String name) {
    return tails.containsKey(name);
  }

  /** Returns the models that are being changed; not a copy. */
  Set<String> names() {
    return tails.keySet();
  }
}
