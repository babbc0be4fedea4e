package dev.conveyor.scheduler;

import dev.conveyor.scheduler.isolation.ExecutionLimit;
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

  /** The versions of one model; usually there is one, and it is found without a second look. */
  private static final class Versions {
    final Map<String, ModelState> all = new HashMap<>(2);
    @Nullable ModelState newest;
    @Nullable String newestVersion;
  }

  private final Map<String, Versions> byName = new HashMap<>();
  private final Map<String, ModelState> byKey = new HashMap<>();
  private final List<ModelState> all = new ArrayList<>();

  @Nullable ModelState find(String name, String version) {
    Versions versions = byName.get(name);
    if (versions == null) {
      return null;
    }
    return version.equals(versions.newestVersion) ? versions.newest : versions.all.get(version);
  }

  @Nullable ModelState find(String key) {
    return byKey.get(key);
  }

  /** Returns every model, in the order in which they were added; not a copy. */
  List<ModelState> all() {
    return all;
  }

  void add(ModelState model) {
    Versions versions = byName.computeIfAbsent(model.plan.name(), name -> new Versions());
    versions.all.put(model.plan.version(), model);
    versions.newest = model;
    versions.newestVersion = model.plan.version();
    byKey.put(model.plan.key(), model);
    all.add(model);
  }

  void remove(ModelState model) {
    Versions versions = byName.get(model.plan.name());
    if (versions != null) {
      versions.all.remove(model.plan.version());
      if (versions.newest == model) {
        versions.newest = null;
        versions.newestVersion = null;
      }
      if (versions.all.isEmpty()) {
        byName.remove(model.plan.name());
      }
    }
    byKey.remove(model.plan.key());
    all.remove(model);
  }

  /** Returns every batch that runs now. */
  List<Assignment> running() {
    List<Assignment> running = new ArrayList<>(0);
    for (ModelState model : all) {
      for (InstanceState instance : model.instances.values()) {
        if (instance.running != null) {
          running.add(instance.running);
        }
      }
    }
    return running;
  }

  /** Returns what runs longer than {@link ExecutionLimit} allows. */
  List<Assignment> overdue(long nowNs, long sinceNs, long marginNs) {
    List<Assignment> overdue = new ArrayList<>(0);
    for (Assignment running : running()) {
      Batch batch = running.batch();
      long ageNs = Math.min(batch.clock().ageNs(nowNs), nowNs - sinceNs);
      if (ageNs + marginNs > ExecutionLimit.ns(running.state.placement.profile, batch.items())) {
        overdue.add(running);
      }
    }
    return overdue;
  }

  /**
   * Lets others have the room of batches that take longer than {@link ExecutionLimit#patienceNs};
   * returns how many those are that still had it.
   */
  int lendOverdue(long nowNs, long sinceNs) {
    int lent = 0;
    for (ModelState model : all) {
      for (InstanceState instance : model.instances.values()) {
        Assignment running = instance.running;
        if (running != null) {
          Batch batch = running.batch();
          long ageNs = Math.min(batch.clock().ageNs(nowNs), nowNs - sinceNs);
          boolean due =
              ageNs >= ExecutionLimit.patienceNs(instance.placement.profile, batch.items());
          lent += due && instance.lend(nowNs) ? 1 : 0;
        }
      }
    }
    return lent;
  }
}
