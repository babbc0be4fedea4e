package dev.conveyor.verticles.chaos;

/**
 * What became of a request.
 *
 * @param detail of answers that should not have been: status, and the message or the failure
 */
record Answer(Outcome outcome, String detail) {

  /** What an answer is worth. */
  enum Outcome {
    /** The right outputs. */
    RIGHT,
    /** Refused for a reason of its own, or told that it may be sent again. */
    RIGHT_ERROR,
    /** Outputs of another request, or an error that is not its own. */
    WRONG,
    /** No answer. */
    LOST
  }

  static final Answer RIGHT = new Answer(Outcome.RIGHT, "");
  static final Answer RIGHT_ERROR = new Answer(Outcome.RIGHT_ERROR, "");

  static Answer wrong(String detail) {
    return new Answer(Outcome.WRONG, detail);
  }

  static Answer lost(String detail) {
    return new Answer(Outcome.LOST, detail);
  }
}
