package dev.conveyor.memory;

/** A reservation that does not fit into a budget or a pool; the message carries the numbers. */
public final class BudgetExceededException extends RuntimeException {

  private final String ledger;
  private final long missingBytes;

  /**
   * Creates a refusal.
   *
   * @param ledger what had no room: the device of a budget, or a part of it
   * @param missingBytes how many more would have had to be free
   */
  public BudgetExceededException(String ledger, long missingBytes, String message) {
    super(message);
    this.ledger = ledger;
    this.missingBytes = Math.max(1, missingBytes); // some may have become free meanwhile
  }

  /** Returns what had no room: {@link MemoryBudget#device} of the budget that refused. */
  public String ledger() {
    return ledger;
  }

  /** Returns how many more bytes would have had to be free, above 0. */
  public long missingBytes() {
    return missingBytes;
  }
}
