package dev.conveyor.verticles.isolation;

import java.util.Locale;

/** Every kind of decision that keeps a fault small. */
public enum Decision {
  /** A batch failed and was run again in parts, to find whose fault it was. */
  BATCH_SPLIT,
  /** A batch ran out of memory and was run again in smaller parts. */
  BATCH_HALVED,
  /** A request failed when it ran alone, and was told so. */
  REQUEST_BLAMED,
  /** A request whose inputs failed lately ran alone. */
  SUSPECT_ISOLATED,
  /** Outputs were not handed out. */
  OUTPUT_REFUSED,
  /** A suspected instance ran a synthetic batch. */
  INSTANCE_PROBED,
  /** An instance gets no more batches. */
  INSTANCE_QUARANTINED,
  /** Another instance took the place of one. */
  INSTANCE_REPLACED,
  /** An execution takes long: others may run in its room meanwhile. */
  ROOM_LENT,
  /** An execution took too long and was given up. */
  EXECUTION_CUT,
  /** A request whose instance was lost runs again on another one. */
  REQUEST_RETRIED,
  /** A request whose instance was lost was not run again. */
  RETRY_REFUSED,
  /** Requests that take long run on a second instance, too. */
  REQUEST_HEDGED,
  /** The second instance answered before the first. */
  HEDGE_WON,
  /** Requests that take long do not run on a second instance. */
  HEDGE_REFUSED,
  /** No instance of a model is left and none could be brought up. */
  MODEL_UNAVAILABLE,
  /** A model was not loaded; what served before still does. */
  LOAD_REFUSED,
  /** A GPU is lost to the server's process, or to workers; of no model. */
  DEVICE_LOST,
  /** A worker that waited for a model is gone, or did not come up; of no model. */
  SPARE_LOST,
  /** A client took too long to send what it had begun, or never began. */
  CLIENT_CUT,
  /** What servers that crashed had left behind was removed. */
  LEFTOVERS_REMOVED;

  /** Returns the name in metrics and events. */
  public String label() {
    return name().toLowerCase(Locale.ROOT);
  }
}
