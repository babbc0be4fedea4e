package dev.conveyor.verticles.chaos;

import java.util.Optional;

/**
 * Faults that a request can ask a {@link FaultyBackend} for: the first element of its FP32 input
 * says which one, the second how much of it.
 */
public enum Poison {
  /** The execution fails, with everything that is in it. */
  EXCEPTION(-1001),
  /** The outputs of this request are NaN. */
  NAN(-1002),
  /** The outputs of this request have one element too few. */
  SHAPE(-1003),
  /** The execution takes this many milliseconds and cannot be interrupted. */
  SLEEP(-1004),
  /** The execution runs out of memory if it has more items than this. */
  OUT_OF_MEMORY(-1005),
  /** From now on every execution of this executor fails. */
  SICKNESS(-1006),
  /** The execution throws a Java error. */
  ERROR(-1007),
  /** The process takes memory until it is stopped. */
  MEMORY(-1008),
  /** The process writes rubbish to its server. */
  GARBAGE(-1009),
  /** An event loop of the server is blocked for this many milliseconds. */
  BLOCKED_LOOP(-1010);

  private final float mark;

  Poison(float mark) {
    this.mark = mark;
  }

  /** Returns the element that asks for it. */
  public float mark() {
    return mark;
  }

  /** Finds the fault that an element asks for. */
  static Optional<Poison> of(float element) {
    if (element <= EXCEPTION.mark && element >= BLOCKED_LOOP.mark) {
      for (Poison poison : values()) {
        if (poison.mark == element) {
          return Optional.of(poison);
        }
      }
    }
    return Optional.empty();
  }
}
