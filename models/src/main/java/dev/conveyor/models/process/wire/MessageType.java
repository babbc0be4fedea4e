package dev.conveyor.models.process.wire;

/** The messages between a server and a worker; the payload is said with each. */
public enum MessageType {
  /**
   * Worker: protocol version (int), token (string), number of the lane (int). The first message.
   */
  HELLO(1),
  /**
   * Server, on the first lane: file, owner (strings), threads (int), budget in bytes (long),
   * parameters, whether it is for a GPU (int); and if it is: configuration (text), bytes of its
   * ledger (long), whether waiting may use a core (int).
   */
  LOAD(2),
  /** Worker: reserved bytes (long), those of the GPU (holders), inputs, outputs (specs). */
  LOADED(3),
  /** Server: largest batch (int). Makes the executor. */
  PREPARE(4),
  /**
   * Server: path (string), bytes (long), whether outputs that wait for it are wanted (int). The
   * slab from now on.
   */
  MAP(5),
  /** Worker: reserved bytes (long), those of the GPU (holders). Done as told. */
  DONE(6),
  /**
   * Server: number (long), how long to wait awake for the next one in ns (long), batch size (int),
   * offset for outputs (long), inputs (blocks).
   */
  EXECUTE(7),
  /**
   * Worker: number (long), three durations in ns (longs), reserved bytes of the GPU (long), outputs
   * (blocks).
   */
  RESULT(8),
  /** Worker: bytes (long). The outputs need a slab of that size; a {@link #MAP} must follow. */
  GROW(9),
  /** Worker: {@link FailureKind}, message (strings). It goes on working if it can. */
  FAILED(10),
  /**
   * Worker, before it has answered a {@link #LOAD}: it measures from now on what it takes of the
   * GPU. Server: nothing of it is given back meanwhile, until the answer.
   */
  MEASURE(11),
  /** Server, on the first lane, before a {@link #LOAD}: gets ready for one. */
  WARM_UP(12);

  private final int number;

  MessageType(int number) {
    this.number = number;
  }

  int number() {
    return number;
  }

  /**
   * Finds a type by its number.
   *
   * @throws ProtocolException if there is none
   */
  static MessageType of(int number) throws ProtocolException {
    for (MessageType type : values()) {
      if (type.number == number) {
        return type;
      }
    }
    throw new ProtocolException("message type " + number + " is unknown");
  }
}
