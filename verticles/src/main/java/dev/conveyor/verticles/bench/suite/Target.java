package dev.conveyor.verticles.bench.suite;

import java.util.Locale;

/**
 * What a figure should reach.
 *
 * @param atLeast whether {@code limit} is the smallest value that holds, else the largest
 */
public record Target(boolean atLeast, double limit, String unit) {

  public static Target atLeast(double limit, String unit) {
    return new Target(true, limit, unit);
  }

  public static Target atMost(double limit, String unit) {
    return new Target(false, limit, unit);
  }

  public boolean holds(double value) {
    return atLeast ? value >= limit : value <= limit;
  }

  /** Returns for example {@code >= 55,000 inf/s}. */
  public String text() {
    return (atLeast ? ">= " : "<= ") + format(limit);
  }

  /** Writes a value with this target's unit. */
  public String format(double value) {
    String number =
        Math.abs(value) >= 1000 || value == Math.rint(value)
            ? String.format(Locale.ROOT, "%,.0f", value)
            : String.format(Locale.ROOT, Math.abs(value) >= 10 ? "%.1f" : "%.3f", value);
    return unit.isEmpty() ? number : number + " " + unit;
  }
}
