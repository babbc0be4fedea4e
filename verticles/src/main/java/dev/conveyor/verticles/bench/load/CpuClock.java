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
    return () -> sum(seconds(), other.seconds(), 1);
  }

  /** Returns a clock of what this one has and the other has not, which can be read if both can. */
  default CpuClock minus(CpuClock other) {
    return () -> sum(seconds(), other.seconds(), -1);
  }

  /** Returns the difference of two readings, if both are there. */
  static OptionalDouble between(OptionalDouble before, OptionalDouble after) {
    return sum(after, before, -1);
  }

  private static OptionalDouble sum(OptionalDouble one, OptionalDouble other, int sign) {
    return one.isPresent() && other.isPresent()
        ? OptionalDouble.of(one.getAsDouble() + sign * other.getAsDouble())
        : OptionalDouble.empty();
  }
}
