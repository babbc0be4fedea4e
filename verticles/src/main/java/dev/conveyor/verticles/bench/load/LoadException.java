package dev.conveyor.verticles.bench.load;

/** A request that was answered with an error. Has no stack trace: it is counted, not debugged. */
public final class LoadException extends RuntimeException {

  public LoadException(String message) {
    super(message, null, false, false);
  }
}
