package dev.conveyor.models.process.wire;

import dev.conveyor.models.backend.ExecutionException;

/** What a worker could not do, as far as it can tell. */
public enum FailureKind {
  /** The model could not be loaded or run, or a cause unknown. */
  RUN,
  /** Memory ran out, of the host or of the device. */
  OUT_OF_MEMORY,
  /** Its GPU refuses every further call of that process: the worker is of no use any more. */
  DEVICE_LOST,
  /** Its GPU cannot be used from the beginning: no model has anything to do with it. */
  DEVICE_UNUSABLE;

  /** Returns what an execution that has failed so is to a worker. */
  public static FailureKind of(ExecutionException.Kind kind) {
    return switch (kind) {
      case RUN -> RUN;
      case OUT_OF_MEMORY -> OUT_OF_MEMORY;
      case INSTANCE_LOST -> DEVICE_LOST;
    };
  }
}
