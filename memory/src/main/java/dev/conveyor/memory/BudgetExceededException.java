package dev.conveyor.memory;

/** A reservation that does not fit into a budget or a pool; the message carries the numbers. */
public final class BudgetExceededException extends RuntimeException {

  private final String ledger;

  /**
   * Creates a refusal.
   *
   * @param ledger what had no room: the device of a budget, or a part of it
   */
  public BudgetExceededException(String ledger, String message) {
    super(message);
    this.ledger = ledger;
  }

  /** Returns what had no room: {@link MemoryBudget#device} of the budget that refused. */
  public String ledger() {
    return ledger;
  }
}
