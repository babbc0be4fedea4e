package dev.conveyor.models;

import java.util.Arrays;
import java.util.Optional;

/** Every way a request can fail, as seen by a client. Front ends map these; nothing else does. */
public enum ErrorCode {
  /** Malformed, or contradicts the model; sending it again will fail again. */
  INVALID_REQUEST(1),
  /** No such model or version. */
  NOT_FOUND(2),
  /** The model is known but not ready. */
  UNAVAILABLE(3),
  /** The request body is over the configured limit. */
  TOO_LARGE(4),
  /** A bounded queue or pool is full; try again later. */
  QUEUE_FULL(5),
  /** The request's deadline or the queue's timeout passed. */
  DEADLINE_EXCEEDED(6),
  /** The client went away or cancelled. */
  CANCELLED(7),
  /** The backend failed while running the batch. */
  EXECUTION_FAILED(8),
  /** The device or the host has no memory left for it. */
  OUT_OF_MEMORY(9),
  /** The protocol has it, this server does not. */
  UNSUPPORTED(10),
  /** The server is stopping. */
  SHUTTING_DOWN(11),
  /** More is asked of the model than it can do in time; try again later. */
  OVERLOADED(12),
  /** The client or the model is over its quota; try again later. */
  OVER_QUOTA(13),
  /** The request did not arrive in the time it may take. */
  BODY_TIMEOUT(14),
  /** Something of this name is there already. */
  ALREADY_EXISTS(15);

  private final int wireCode;

  ErrorCode(int wireCode) {
    this.wireCode = wireCode;
  }

  /** Returns the number that stands for it on the event bus; never changes. */
  public int wireCode() {
    return wireCode;
  }

  /** Finds a code by its number. */
  public static Optional<ErrorCode> ofWireCode(int wireCode) {
    return Arrays.stream(values()).filter(code -> code.wireCode == wireCode).findFirst();
  }
}
