package dev.conveyor.verticles.cli.bundle;

/** Why a bundle cannot be made, in a line for whoever asked for it. */
public final class BundleException extends RuntimeException {

  public BundleException(String message) {
    super(message);
  }

  public BundleException(String message, Throwable cause) {
    super(message, cause);
  }
}
