package dev.conveyor.models.process.worker;

/** The GPU of this worker cannot be used at all, whatever model is to run there. */
final class DeviceUnusableException extends RuntimeException {

  private static final long serialVersionUID = 1;

  DeviceUnusableException(String message) {
    super(message);
  }
}
