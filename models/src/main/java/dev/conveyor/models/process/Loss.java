package dev.conveyor.models.process;

/**
 * How a worker was lost.
 *
 * @param detail for people: what happened, with process number, signal or message
 */
public record Loss(Cause cause, String detail) {

  /** What to count losses by. */
  public enum Cause {
    /** It ended by itself. */
    EXITED,
    /** A signal ended it: a native crash, the system's memory killer, an operator. */
    SIGNALLED,
    /** It showed no sign of life. */
    NO_HEARTBEAT,
    /** It said what it must not say. */
    PROTOCOL_ERROR,
    /** Its GPU refuses every further call of that process. */
    DEVICE_LOST,
    /** Its GPU cannot be used by a new process either. */
    DEVICE_UNUSABLE,
    /** It did not load its model in time. */
    LOAD_TIMEOUT,
    /** It took more memory than it may. */
    OVER_MEMORY,
    /** Its run took too long. */
    CANCELLED,
    /** Nobody needs it any more. */
    CLOSED;

    /** Returns true if it may have come about before the worker was told to load its model. */
    boolean mayBeOlderThanTheLoad() {
      return this == EXITED || this == SIGNALLED || this == NO_HEARTBEAT;
    }
  }
}
