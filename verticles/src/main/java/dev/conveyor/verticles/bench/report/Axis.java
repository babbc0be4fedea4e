package dev.conveyor.verticles.bench.report;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Maps values to 0..1 and chooses round values to mark. Immutable.
 *
 * @param low value at 0
 * @param high value at 1, above {@code low}
 */
record Axis(double low, double high, boolean logarithmic, List<Double> ticks) {

  private static final int TICKS = 6;

  private static final int TOO_MANY = 10;

  /** From here on a linear axis would press the smaller values onto the bottom. */
  private static final double LOGARITHMIC_FROM = 12;

  Axis {
    ticks = List.copyOf(ticks);
  }

  /** Returns an axis from 0 to a round value at or above {@code max}. */
  static Axis linear(double max) {
    double top = max > 0 ? max : 1;
    double step = roundStep(top / TICKS);
    int steps = (int) Math.ceil(top / step - 1e-9);
    List<Double> ticks = new ArrayList<>();
    for (int i = 0; i <= steps; i++) {
      ticks.add(i * step);
    }
    return new Axis(0, steps * step, false, ticks);
  }

  /** Returns a logarithmic axis if the values, all positive, span enough; else a linear one. */
  static Axis suited(double min, double max) {
    if (!(min > 0) || max / min < LOGARITHMIC_FROM) {
      return linear(max);
    }
    List<Double> ticks = new ArrayList<>();
    double decade = Math.pow(10, Math.floor(Math.log10(min)));
    double low = 0;
    for (double d = decade; ticks.isEmpty() || last(ticks) < max; d *= 10) {
      for (double factor : new double[] {1, 2, 5}) {
        if (d * factor <= min * (1 + 1e-9)) {
          low = d * factor;
          ticks.clear();
        }
        if (ticks.isEmpty() || last(ticks) < max) {
          ticks.add(d * factor);
        }
      }
    }
    List<Double> decades = ticks.stream().filter(t -> isDecade(t)).toList();
    return new Axis(low, last(ticks), true, ticks.size() > TOO_MANY ? decades : ticks);
  }

  /** Returns an axis that ends where the values do, marked at the values if they are few. */
  static Axis over(List<Double> values) {
    double max = values.stream().mapToDouble(v -> v).max().orElse(1);
    Axis round = linear(max);
    double end = Math.max(max, 1e-9) * 1.04;
    List<Double> few = values.stream().distinct().sorted().toList();
    boolean apart = true;
    for (int i = 1; i < few.size(); i++) {
      apart &= few.get(i) - few.get(i - 1) >= end / 24;
    }
    return new Axis(
        0, end, false, apart ? few : round.ticks().stream().filter(t -> t <= end).toList());
  }

  double at(double value) {
    return logarithmic
        ? (Math.log(Math.max(value, low)) - Math.log(low)) / (Math.log(high) - Math.log(low))
        : (value - low) / (high - low);
  }

  /** Writes a marked value without digits that say nothing. */
  static String label(double value) {
    if (value == 0) {
      return "0";
    }
    double size = Math.abs(value);
    int decimals = size >= 10 ? 0 : Math.max(0, 2 - (int) Math.floor(Math.log10(size)));
    String text = String.format(Locale.ROOT, "%,." + decimals + "f", value);
    return text.contains(".") ? text.replaceAll("0+$", "").replaceAll("\\.$", "") : text;
  }

  private static boolean isDecade(double value) {
    double exponent = Math.log10(value);
    return Math.abs(exponent - Math.rint(exponent)) < 1e-9;
  }

  private static double last(List<Double> values) {
    return values.get(values.size() - 1);
  }

  /** Returns 1, 2, 2.5 or 5 times a power of ten, at or above {@code rough}. */
  private static double roundStep(double rough) {
    double power = Math.pow(10, Math.floor(Math.log10(rough)));
    for (double factor : new double[] {1, 2, 2.5, 5}) {
      if (factor * power >= rough * (1 - 1e-9)) {
        return factor * power;
      }
    }
    return 10 * power;
  }
}
