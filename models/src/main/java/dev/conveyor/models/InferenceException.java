package dev.conveyor.models;

/** A failed request. Carries no stack trace: it describes a client-visible outcome, not a bug. */
public final class InferenceException extends RuntimeException {

  private final ErrorCode code;

  public InferenceException(ErrorCode code, String message) {
    super(message, null, false, false);
    this.code = code;
  }

  public ErrorCode code() {
    return code;
  }

  /** Shorthand for a request that contradicts the model or the protocol. */
  public static InferenceException invalid(String message) {
    return new InferenceException(ErrorCode.INVALID_REQUEST, message);
  }
}
