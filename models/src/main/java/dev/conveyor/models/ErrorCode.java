package dev.conveyor.models;

/** Every way a request can fail, as seen by a client. Front ends map these; nothing else does. */
public enum ErrorCode {
  /** Malformed, or contradicts the model; sending it again will fail again. */
  INVALID_REQUEST,
  /** No such model or version. */
  NOT_FOUND,
  /** The model is known but not ready. */
  UNAVAILABLE,
  /** The request body is over the configured limit. */
  TOO_LARGE,
  /** A bounded queue or pool is full; try again later. */
  QUEUE_FULL,
  /** The request's deadline or the queue's timeout passed. */
  DEADLINE_EXCEEDED,
  /** The client went away or cancelled. */
  CANCELLED,
  /** The backend failed while running the batch. */
  EXECUTION_FAILED,
  /** The device or the host has no memory left for it. */
  OUT_OF_MEMORY,
  /** The protocol has it, this server does not. */
  UNSUPPORTED,
  /** The server is stopping. */
  SHUTTING_DOWN
}
