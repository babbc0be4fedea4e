package dev.conveyor.verticles.supervisor;

import dev.conveyor.models.repository.ModelRepository;
import dev.conveyor.verticles.ModelOverride;
import io.vertx.core.Future;
import io.vertx.core.WorkerExecutor;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Loads of models whose files come with the request. The files stay until another load of the model
 * succeeds or it is unloaded.
 *
 * <p>Thread-confined to the supervisor's context, but for {@link #write}.
 */
final class FileLoads {

  private final WorkerExecutor loaders;
  private final ModelLoader loader;
  private final Consumer<String> forgetter;

  /**
   * Creates it.
   *
   * @param forgetter told of models that the repository does not have, once their files are gone
   */
  FileLoads(WorkerExecutor loaders, ModelLoader loader, Consumer<String> forgetter) {
    this.loaders = loaders;
    this.loader = loader;
    this.forgetter = forgetter;
  }

  /** Writes the files of a request; null if it has none. */
  Future<ModelRepository> write(String name, ModelOverride override) {
    return override.files().isEmpty()
        ? Future.succeededFuture()
        : loaders.executeBlocking(() -> loader.overrides().write(name, override), false);
  }

  /**
   * Has {@code load} read {@code files}, or the repository if that is null; if it fails, the
   * model's next load reads what it read before.
   */
  Future<Void> from(@Nullable ModelRepository files, String name, Supplier<Future<Void>> load) {
    ModelRepository before = loader.overrides().use(name, files);
    return load.get()
        .onSuccess(done -> discard(name, before))
        .onFailure(
            failure -> {
              ModelRepository unused = loader.overrides().use(name, before);
              discard(name, unused);
            });
  }

  /** Deletes the files of a model that was unloaded, if it has some. */
  Future<Void> forget(String name) {
    return discard(name, loader.overrides().use(name, null));
  }

  private Future<Void> discard(String name, @Nullable ModelRepository files) {
    if (files == null) {
      return Future.succeededFuture();
    }
    return loaders
        .executeBlocking(
            () -> {
              loader.overrides().discard(files);
              return loader.isInRepository(name);
            },
            false)
        .onSuccess(
            stays -> {
              if (!stays) {
                forgetter.accept(name);
              }
            })
        .mapEmpty();
  }
}
