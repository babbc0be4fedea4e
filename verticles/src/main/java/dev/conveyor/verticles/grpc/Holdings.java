package dev.conveyor.verticles.grpc;

import dev.conveyor.memory.HeapShare;
import dev.conveyor.verticles.shm.SharedTensors;
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

  /** Lets go of the regions, and of inputs that were promised and that nobody has. */
  void discardShared() {
    if (shared != null) {
      shared.discard();
    }
  }
}
