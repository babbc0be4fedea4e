package dev.conveyor.verticles;

import dev.conveyor.scheduler.residency.ResidencyTable;
import io.vertx.core.Future;
import java.util.List;
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
   * Loads or reloads a model; the old version serves until the new one is ready.
   *
   * @param configJson replaces the model's configuration file for this load; null reads the file
   */
  Future<Void> load(String name, @Nullable String configJson);

  /** Stops serving a model: queued requests are answered first. */
  Future<Void> unload(String name);

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
