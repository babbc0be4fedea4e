package dev.conveyor.models;

import java.util.Locale;

/** Why a request was turned away although it may well succeed later. Metrics and clients see it. */
public enum RefusalReason {
  /** The queue of the model holds as many requests as it may. */
  QUEUE_FULL,
  /** The queue of the model holds as many bytes of input as it may. */
  QUEUE_BYTES,
  /** It would have been answered after its deadline. */
  DEADLINE,
  /** The queue has been too slow for too long, and the request has no deadline of its own. */
  OVERLOADED,
  /** All clients of the model together send more than its quota. */
  MODEL_QUOTA,
  /** The tenant sends more than its quota. */
  TENANT_QUOTA,
  /** The memory for requests under way is used up. */
  REQUEST_MEMORY;

  private final String label = name().toLowerCase(Locale.ROOT);

  /** Returns how clients and metrics call it. */
  public String label() {
    return label;
  }
}
