package dev.conveyor.models;

import org.jspecify.annotations.Nullable;

/** A failed request. Carries no stack trace: it describes a client-visible outcome, not a bug. */
public final class InferenceException extends RuntimeException {

  /** Value of {@link #retryAfterNs} if nothing is known about when to try again. */
  public static final long UNKNOWN = -1;

  private final ErrorCode code;
  private final @Nullable RefusalReason reason;
  private final long retryAfterNs;

  public InferenceException(ErrorCode code, String message) {
    this(code, message, null, UNKNOWN);
  }

  /**
   * Creates a refusal that says why and when to come again.
   *
   * @param retryAfterNs earliest time at which the same request may do better, from now
   */
  public InferenceException(
      ErrorCode code, String message, @Nullable RefusalReason reason, long retryAfterNs) {
    super(message, null, false, false);
    this.code = code;
    this.reason = reason;
    this.retryAfterNs = retryAfterNs;
  }

  public ErrorCode code() {
    return code;
  }

  /** Returns why the request was turned away; null if it failed in another way. */
  public @Nullable RefusalReason reason() {
    return reason;
  }

  /** Returns after how many nanoseconds to try again, or {@link #UNKNOWN}. */
  public long retryAfterNs() {
    return retryAfterNs;
  }

  /** Shorthand for a request that contradicts the model or the protocol. */
  public static InferenceException invalid(String message) {
    return new InferenceException(ErrorCode.INVALID_REQUEST, message);
  }

  /** Returns what whoever still waits is told when the server stops. */
  public static InferenceException shuttingDown() {
    return new InferenceException(ErrorCode.SHUTTING_DOWN, "The server is shutting down");
  }
}
