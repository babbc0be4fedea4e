package dev.conveyor.verticles;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import io.vertx.core.Future;

/** Brings a cold model into memory. Thread-safe; never blocks. */
@FunctionalInterface
public interface ModelActivator {

  /** For servers whose models are all loaded at start. */
  ModelActivator NONE =
      (model, request, givenUp) ->
          Future.failedFuture(
              new InferenceException(
                  ErrorCode.UNAVAILABLE, "Model '" + model + "' is not ready: not loaded"));

  /**
   * Waits until the model serves, having it loaded if nobody else has. Completes on any thread.
   *
   * @param request if the model cannot answer it in time, or its queue could not hold it, this
   *     fails at once, with an {@link InferenceException} like every other failure
   * @param givenUp completes when the request waits no longer, which makes room for another
   */
  Future<Void> activate(String model, ColdRequest request, Future<?> givenUp);
}
