package dev.conveyor.memory;

/** A reservation that does not fit into a budget or a pool; the message carries the numbers. */
public final class BudgetExceededException extends RuntimeException {

  public BudgetExceededException(String message) {
    super(message);
  }
}
