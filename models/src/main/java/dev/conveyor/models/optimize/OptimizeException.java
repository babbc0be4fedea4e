package dev.conveyor.models.optimize;

/** A model or data that cannot be worked with; the message says which file, what and why. */
public final class OptimizeException extends RuntimeException {

  private static final long serialVersionUID = 1;

  public OptimizeException(String message) {
    super(message);
  }

  public OptimizeException(String message, Throwable cause) {
    super(message, cause);
  }
}
