package dev.conveyor.verticles;

import io.vertx.core.Future;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Lists, loads and unloads models while the server runs. Thread-safe; never blocks. */
public interface RepositoryControl {

  /**
   * One line of the index.
   *
   * @param version empty if no version was found
   * @param state {@code READY}, {@code UNAVAILABLE}, {@code LOADING} or {@code UNLOADING}
   * @param reason why it is not ready; empty otherwise
   */
  record Entry(String name, String version, String state, String reason) {}

  /** Lists every model of the repository. */
  Future<List<Entry>> index();

  /**
   * Loads or reloads a model; the old version serves until the new one is ready.
   *
   * @param configJson replaces the model's configuration file for this load; null reads the file
   */
  Future<Void> load(String name, @Nullable String configJson);

  /** Stops serving a model: queued requests are answered first. */
  Future<Void> unload(String name);

  /** Returns true once the first load of every model has ended, well or not. */
  boolean isReady();
}
