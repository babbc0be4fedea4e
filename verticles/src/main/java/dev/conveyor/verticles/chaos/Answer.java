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
    /** Told what is wrong with it, which something is. */
    OWN_ERROR,
    /** Told to come again, by a model that a fault has taken away. */
    REFUSED,
    /** Outputs of another request, or an error that is not its own. */
    WRONG,
    /** No answer. */
    LOST
  }

  static final Answer RIGHT = new Answer(Outcome.RIGHT, "");
  static final Answer OWN_ERROR = new Answer(Outcome.OWN_ERROR, "");
  static final Answer REFUSED = new Answer(Outcome.REFUSED, "");

  static Answer wrong(String detail) {
    return new Answer(Outcome.WRONG, detail);
  }

  static Answer lost(String detail) {
    return new Answer(Outcome.LOST, detail);
  }
}
