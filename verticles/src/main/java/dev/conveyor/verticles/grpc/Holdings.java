package dev.conveyor.verticles.grpc;

import dev.conveyor.memory.HeapShare;
import dev.conveyor.models.InferenceException;
import dev.conveyor.scheduler.InferenceResponse;
import dev.conveyor.verticles.shm.SharedTensors;
import io.vertx.core.Vertx;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * What a request holds until it is answered, besides its inputs.
 *
 * <p>Not thread-safe: owned by the call that it belongs to, on its event loop.
 */
final class Holdings {

  /** What its message counts for in the memory of requests. */
  @Nullable HeapShare share;

  /** Regions that its tensors are in. */
  @Nullable SharedTensors shared;

  /** Lets go of the memory. Does nothing the second time. */
  void release() {
    if (share != null) {
      share.close();
      share = null;
    }
  }

  /** Lets go of the regions. */
  void closeShared() {
    if (shared != null) {
      shared.close();
    }
  }

  /**
   * Writes the outputs that belong into regions there, and lets go of the regions.
   *
   * @param written told when they are there: at once if no regions are held
   * @param failed told, instead, why that cannot be; the result is closed then
   */
  void writeShared(
      Vertx vertx,
      InferenceResponse result,
      Consumer<InferenceResponse> written,
      Consumer<InferenceException> failed) {
    if (shared == null) {
      written.accept(result);
      return;
    }
    shared
        .write(vertx, result.outputs())
        .onComplete(
            done -> {
              closeShared();
              written.accept(result);
            },
            unwritten -> {
              closeShared();
              result.close();
              failed.accept(GrpcErrors.of(unwritten));
            });
  }

  /** Lets go of the regions, and of inputs that were promised and that nobody has. */
  void discardShared() {
    if (shared != null) {
      shared.discard();
    }
  }
}
