package dev.conveyor.models.backend;

/** A run that failed; the message is the backend's. */
public final class ExecutionException extends RuntimeException {

  /** What failed, as far as the backend can tell. */
  public enum Kind {
    /** The model could not compute these inputs, or a cause unknown. */
    RUN,
    /** Memory ran out. */
    OUT_OF_MEMORY,
    /** What ran it is gone for good, such as a child process: nothing is said about the inputs. */
    INSTANCE_LOST
  }

  private final Kind kind;

  public ExecutionException(Kind kind, String message) {
    super(message);
    this.kind = kind;
  }

  public Kind kind() {
    return kind;
  }
}
