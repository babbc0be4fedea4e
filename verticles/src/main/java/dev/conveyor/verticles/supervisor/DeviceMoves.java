package dev.conveyor.verticles.supervisor;

import dev.conveyor.models.backend.LoadedModel;
import dev.conveyor.models.backend.ModelLoadException;
import io.vertx.core.Future;
import io.vertx.core.WorkerExecutor;
import java.util.Optional;
import java.util.function.BiFunction;

/**
 * Brings a version onto one more device, and takes it from one: weights, instances, and the bytes
 * back to the ledger.
 *
 * <p>Thread-confined to the supervisor's context. What fails on the way leaves nothing behind.
 */
final class DeviceMoves {

  private final InstanceKeeper keeper;
  private final WorkerExecutor loaders;
  private final Sites sites;
  private final Runnable trim;
  private final BiFunction<DeviceLoads.Source, String, Future<BringUp.Copy>> load;

  /**
   * Creates it.
   *
   * @param trim gives back what is kept for later, after a copy has left memory; on a loader
   * @param load loads one more copy of the weights onto a device
   */
  DeviceMoves(
      InstanceKeeper keeper,
      WorkerExecutor loaders,
      Sites sites,
      Runnable trim,
      BiFunction<DeviceLoads.Source, String, Future<BringUp.Copy>> load) {
    this.keeper = keeper;
    this.loaders = loaders;
    this.sites = sites;
    this.trim = trim;
    this.load = load;
  }

  /** Loads a version onto one more device; the scheduler sees its instances when they are warm. */
  Future<Void> join(Crew crew, String device) {
    LoadedVersion version = crew.version;
    DeviceLoads.Source source = version.source().orElseThrow();
    return load.apply(source, device)
        .compose(
            copy -> {
              version.weights().add(device, copy.weights());
              int instances = source.count() * version.plan().lanes();
              return requireAlike(version, copy.weights())
                  .compose(v -> keeper.grow(crew, device, instances))
                  .compose(v -> requireNotLost(device))
                  .onSuccess(v -> crew.loadNs(System.nanoTime() - copy.beganNs()))
                  .recover(
                      failure ->
                          leave(crew, device).transform(done -> Future.failedFuture(failure)));
            });
  }

  /**
   * Takes a version from a device: no more batches, then its instances, then its weights. An
   * execution that hangs keeps those until it is back; nobody waits for it, and the version may
   * have joined the device again by then, with another copy.
   */
  Future<Void> leave(Crew crew, String device) {
    return keeper
        .shrink(crew, device, Integer.MAX_VALUE)
        .transform(
            stopped -> {
              Optional<LoadedModel> copy = crew.version.weights().remove(device);
              Future<?> left = crew.allLeft(device);
              Future<Void> closed =
                  left.transform(v -> loaders.executeBlocking(() -> close(copy), false)).mapEmpty();
              return left.isComplete() ? closed : Future.succeededFuture();
            });
  }

  private boolean close(Optional<LoadedModel> copy) {
    copy.ifPresent(LoadedModel::close);
    trim.run();
    return true;
  }

  /** Who reads what a model gives was told how its first copy takes images. */
  private static Future<Void> requireAlike(LoadedVersion version, LoadedModel copy) {
    return copy.decodesImages() == version.weights().decodesImages()
        ? Future.succeededFuture()
        : Future.failedFuture(
            new ModelLoadException("it would decode images elsewhere than the other copies"));
  }

  /** Whoever hears of a loss looks for crews that are there; this one was not, perhaps. */
  private Future<Void> requireNotLost(String device) {
    return sites.of(device).isLost()
        ? Future.failedFuture(new ModelLoadException(device + " is lost to this process"))
        : Future.succeededFuture();
  }
}
