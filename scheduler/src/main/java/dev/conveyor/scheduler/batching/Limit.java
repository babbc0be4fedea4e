package dev.conveyor.scheduler.batching;

/** Why a batch is not larger than it is. */
public enum Limit {
  /** It holds everything that waited. */
  QUEUE,
  /** It is as large as the model takes. */
  MAX_BATCH_SIZE,
  /** It has, or stays within, a preferred size. */
  PREFERRED_SIZE,
  /** The next request has another shape or does not fit. */
  NEXT_REQUEST,
  /** With the next request, one would miss its deadline. */
  DEADLINE,
  /** More at once would be no faster, and others would wait for it. */
  OTHERS,
  /** The model does not combine requests. */
  NO_BATCHING,
  /** Nothing could meet its deadline; one runs to learn whether that is still true. */
  PROBE
}
