package dev.conveyor.verticles.supervisor;

/** A load, or the start of an instance, that took longer than it may, or waits for one that did. */
final class LoadTimeoutException extends RuntimeException {

  LoadTimeoutException(String message) {
    super(message);
  }
}
