package dev.conveyor.scheduler;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The models of a scheduler, by key and, without building a key, by name and version.
 *
 * <p>Not thread-safe: owned by the {@link Scheduler}.
 */
final class ModelTable {

  /** Of each model the version added last; it knows the one before. */
  private final Map<String, ModelState> newest = new HashMap<>();

  private final Map<String, ModelState> byKey = new HashMap<>();
  private final List<ModelState> all = new ArrayList<>();
  private final List<ModelState> hedging = new ArrayList<>(0);

  @Nullable ModelState find(String name, String version) {
    ModelState model = newest.get(name);
    while (model != null && !model.version.equals(version)) {
      model = model.olderVersion;
    }
    return model;
  }

  /** Returns the version of a model that was added last; it knows the one before. */
  @Nullable ModelState newest(String name) {
    return newest.get(name);
  }

  @Nullable ModelState find(String key) {
    return byKey.get(key);
  }

  /** Returns what took the place of one that drains, and takes requests; null for none. */
  @Nullable ModelState successor(ModelState model) {
    ModelState next = model;
    while (next != null && next.draining) {
      next = next.successor.isEmpty() ? null : find(next.plan.name(), next.successor);
    }
    return next;
  }

  /** Returns every model, in the order in which they were added; not a copy. */
  List<ModelState> all() {
    return all;
  }

  /** Returns the models whose requests may run a second time; not a copy. */
  List<ModelState> hedging() {
    return hedging;
  }

  /** Takes note of what a model's plan says now. */
  void planned(ModelState model) {
    hedging.remove(model);
    if (model.plan.hedges()) {
      hedging.add(model);
    }
  }

  void add(ModelState model) {
    model.olderVersion = newest.put(model.plan.name(), model);
    byKey.put(model.key, model);
    all.add(model);
    planned(model);
  }

  void remove(ModelState model) {
    newest.computeIfPresent(model.plan.name(), (name, first) -> without(model, first));
    byKey.remove(model.key);
    all.remove(model);
    hedging.remove(model);
  }

  /** Returns the versions from {@code first} on, less one. */
  private static @Nullable ModelState without(ModelState model, ModelState first) {
    if (first == model) {
      return model.olderVersion;
    }
    for (ModelState one = first; one != null; one = one.olderVersion) {
      if (one.olderVersion == model) {
        one.olderVersion = model.olderVersion;
      }
    }
    return first;
  }
}
