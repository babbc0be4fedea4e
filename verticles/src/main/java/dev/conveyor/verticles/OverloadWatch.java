package dev.conveyor.verticles;

import dev.conveyor.models.RefusalReason;
import dev.conveyor.scheduler.ModelPlan;
import dev.conveyor.verticles.metrics.ModelStats;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;

/**
 * Tells when a model begins to turn requests away, and when it has stopped.
 *
 * <p>Not thread-safe: owned by whoever looks, once per period. It reads counters that exist anyway,
 * so requests pay nothing for it, and an overload is one event however many requests it costs.
 */
final class OverloadWatch {

  /** Told about changes only. */
  interface Listener {

    /**
     * A model turns requests away.
     *
     * @param refused how many in the last period, by reason
     */
    void onOverload(ServedModel model, Map<RefusalReason, Long> refused);

    /**
     * A model has turned nobody away for a while.
     *
     * @param refused how many since the overload began, by reason
     */
    void onOverloadEnded(ServedModel model, Map<RefusalReason, Long> refused);
  }

  /** Periods without a refusal after which it is over. */
  private static final int QUIET_PERIODS = 5;

  private static final class Watched {
    private ModelStats stats;
    private Map<RefusalReason, Long> counts;
    private Map<RefusalReason, Long> before;
    private boolean overloaded;
    private int quiet;

    /** Begins with what was counted before: that is no overload of now. */
    Watched(ModelStats stats) {
      this.stats = stats;
      this.counts = stats.refusals();
      this.before = counts;
    }

    /** Counters begin anew with the load of a model that stays in memory. */
    void follow(ModelStats latest) {
      if (stats != latest) {
        stats = latest;
        counts = Map.of();
        before = Map.of();
      }
    }
  }

  private final ModelCatalog catalog;
  private final Listener listener;
  private final Map<String, Watched> watched = new HashMap<>();

  OverloadWatch(ModelCatalog catalog, Listener listener) {
    this.catalog = catalog;
    this.listener = listener;
  }

  /** Looks at every model. */
  void look() {
    Set<String> served = new HashSet<>();
    for (ServedModel model : catalog.all()) {
      // Not by its key, which is of one load: the counters of a model that comes and goes go on.
      String version = ModelPlan.key(model.name(), model.version());
      served.add(version);
      look(model, watched.computeIfAbsent(version, key -> new Watched(model.stats())));
    }
    watched.keySet().retainAll(served);
  }

  private void look(ServedModel model, Watched state) {
    state.follow(model.stats());
    Map<RefusalReason, Long> now = model.stats().refusals();
    Map<RefusalReason, Long> refused = since(state.counts, now);
    if (!state.overloaded) {
      state.before = state.counts;
    }
    state.counts = now;
    if (!refused.isEmpty()) {
      state.quiet = 0;
      if (!state.overloaded) {
        state.overloaded = true;
        listener.onOverload(model, refused);
      }
    } else if (state.overloaded && ++state.quiet >= QUIET_PERIODS) {
      state.overloaded = false;
      listener.onOverloadEnded(model, since(state.before, now));
    }
  }

  private static Map<RefusalReason, Long> since(
      Map<RefusalReason, Long> before, Map<RefusalReason, Long> now) {
    Map<RefusalReason, Long> more = new EnumMap<>(RefusalReason.class);
    now.forEach(
        (reason, count) -> {
          long refused = count - before.getOrDefault(reason, 0L);
          if (refused > 0) {
            more.put(reason, refused);
          }
        });
    return more;
  }
}
