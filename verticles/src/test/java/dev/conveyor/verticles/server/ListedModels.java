package dev.conveyor.verticles.server;

import dev.conveyor.verticles.ModelOverride;
import dev.conveyor.verticles.RepositoryControl;
import io.vertx.core.Future;
import java.util.List;

/**
 * A repository that lists models, loads none and is ready.
 *
 * @param entries may change while it is used, as far as that list can
 */
public record ListedModels(List<RepositoryControl.Entry> entries) implements RepositoryControl {

  @Override
  public Future<List<Entry>> index() {
    return Future.succeededFuture(entries);
  }

  @Override
  public Future<Void> load(String name, ModelOverride override) {
    return Future.failedFuture("not here");
  }

  @Override
  public Future<Void> unload(String name, boolean dependents) {
    return Future.failedFuture("not here");
  }

  @Override
  public boolean isReady() {
    return true;
  }
}
