package dev.conveyor.verticles;

import dev.conveyor.scheduler.residency.ResidencyTable;
import io.vertx.core.Future;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Lists, loads and unloads models while the server runs. Thread-safe; never blocks. */
public interface RepositoryControl {

  /**
   * One line of the index.
   *
   * @param version empty if no version was found
   * @param state {@code READY}, {@code UNAVAILABLE}, {@code LOADING} or {@code UNLOADING} A model
   *     that is not in memory and loads on its first request is unavailable: ask whether it is
   *     ready to know whether it takes requests
   * @param reason why it is not ready; empty otherwise
   */
  record Entry(String name, String version, String state, String reason) {}

  /** Lists every model of the repository. */
  Future<List<Entry>> index();

  /**
   * Loads or reloads a model, from what the request brings as far as it brings something; the old
   * version serves until the new one is ready.
   */
  Future<Void> load(String name, ModelOverride override);

  /**
   * Loads or reloads a model from the repository.
   *
   * @param configJson replaces the model's configuration file for this load; null reads the file
   */
  default Future<Void> load(String name, @Nullable String configJson) {
    return load(name, new ModelOverride(configJson, Map.of()));
  }

  /**
   * Stops serving a model: queued requests are answered first.
   *
   * @param dependents and, if it is an ensemble, the models that no other ensemble is made of
   */
  Future<Void> unload(String name, boolean dependents);

  /** Stops serving a model. */
  default Future<Void> unload(String name) {
    return unload(name, false);
  }

  /**
   * The models that may be evicted.
   *
   * @param coldStarts loads that a request asked for, since the server started
   * @param evictions models taken out of memory to make room
   */
  record Memory(List<ResidencyTable.Line> models, long coldStarts, long evictions) {}

  /** Tells which models are in memory and what keeping each is worth. */
  default Future<Memory> memory() {
    return Future.succeededFuture(new Memory(List.of(), 0, 0));
  }

  /** Returns true once the first load of every model has ended, well or not. */
  boolean isReady();
}
