package dev.conveyor.verticles.feed;

/** A feed that cannot be played, for a reason that is meant for people. */
public final class FeedException extends RuntimeException {

  private static final long serialVersionUID = 1L;

  public FeedException(String message) {
    super(message);
  }
}
