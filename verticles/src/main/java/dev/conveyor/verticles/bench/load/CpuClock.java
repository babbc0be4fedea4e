package dev.conveyor.verticles.bench.load;

import java.util.OptionalDouble;

/** CPU time that a process has used so far. Thread-safe. */
@FunctionalInterface
public interface CpuClock {

  CpuClock UNKNOWN = OptionalDouble::empty;

  /** Returns the seconds used, all threads together, or empty if they cannot be read. */
  OptionalDouble seconds();

  /** Returns a clock of both, which can be read if both can. */
  default CpuClock plus(CpuClock other) {
    return () -> {
      OptionalDouble here = seconds();
      OptionalDouble there = other.seconds();
      return here.isPresent() && there.isPresent()
          ? OptionalDouble.of(here.getAsDouble() + there.getAsDouble())
          : OptionalDouble.empty();
    };
  }

  /** Returns the difference of two readings, if both are there. */
  static OptionalDouble between(OptionalDouble before, OptionalDouble after) {
    return before.isPresent() && after.isPresent()
        ? OptionalDouble.of(after.getAsDouble() - before.getAsDouble())
        : OptionalDouble.empty();
  }
}
