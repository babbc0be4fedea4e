package dev.conveyor.verticles.cli.demo;

/** Why the demo cannot go on, in words for its user. */
public final class DemoException extends RuntimeException {

  DemoException(String message) {
    super(message);
  }
}
