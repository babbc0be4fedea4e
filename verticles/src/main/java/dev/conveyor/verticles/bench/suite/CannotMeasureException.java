package dev.conveyor.verticles.bench.suite;

/** A figure that this machine cannot give; the message says why. */
public final class CannotMeasureException extends RuntimeException {

  public CannotMeasureException(String message) {
    super(message);
  }

  public CannotMeasureException(String message, Throwable cause) {
    super(message, cause);
  }
}
