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

  private final Map<String, Map<String, ModelState>> byName = new HashMap<>();
  private final Map<String, ModelState> byKey = new HashMap<>();
  private final List<ModelState> all = new ArrayList<>();

  @Nullable ModelState find(String name, String version) {
    Map<String, ModelState> versions = byName.get(name);
    return versions == null ? null : versions.get(version);
  }

  @Nullable ModelState find(String key) {
    return byKey.get(key);
  }

  /** Returns every model, in the order in which they were added; not a copy. */
  List<ModelState> all() {
    return all;
  }

  void add(ModelState model) {
    byName
        .computeIfAbsent(model.plan.name(), name -> new HashMap<>())
        .put(model.plan.version(), model);
    byKey.put(model.plan.key(), model);
    all.add(model);
  }

  void remove(ModelState model) {
    Map<String, ModelState> versions = byName.get(model.plan.name());
    if (versions != null && versions.remove(model.plan.version()) != null && versions.isEmpty()) {
      byName.remove(model.plan.name());
    }
    byKey.remove(model.plan.key());
    all.remove(model);
  }
}
