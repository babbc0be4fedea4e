package dev.conveyor.models.process.wire;

import java.io.IOException;

/** The other side said what it must not say. */
public final class ProtocolException extends IOException {

  private static final long serialVersionUID = 1;

  public ProtocolException(String message) {
    super(message);
  }
}
