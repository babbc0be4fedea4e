package dev.conveyor.scheduler.simulation;

import java.util.SplittableRandom;

/**
 * The times at which requests come.
 *
 * <p>Not thread-safe: owned by the {@link Simulator}. Equal seeds give equal times; the sum is kept
 * in doubles, so that rounding does not change the rate.
 */
abstract class ArrivalTimes {

  final SplittableRandom random;
  double atNs;

  ArrivalTimes(long seed) {
    this.random = new SplittableRandom(seed);
  }

  static ArrivalTimes of(Scenario.Arrivals arrivals, double ratePerSecond, long seed) {
    double meanGapNs = 1e9 / ratePerSecond;
    if (arrivals instanceof Scenario.Arrivals.HyperExponential bursty) {
      return new Hyper(meanGapNs, bursty.cv(), seed);
    }
    if (arrivals instanceof Scenario.Arrivals.OnOff onOff) {
      return new OnOff(meanGapNs, onOff, seed);
    }
    if (arrivals instanceof Scenario.Arrivals.Curve curve) {
      return new Curve(meanGapNs, curve, seed);
    }
    if (arrivals instanceof Scenario.Arrivals.Trace trace) {
      return new Trace(meanGapNs, trace, seed);
    }
    return new Poisson(meanGapNs, seed);
  }

  /** Returns the next time; never before the one returned last. */
  abstract long nextNs();

  /** Returns the model that the request of {@link #nextNs} is for; -1 if that is left to chance. */
  int model() {
    return -1;
  }

  private static final class Poisson extends ArrivalTimes {
    private final double meanGapNs;

    Poisson(double meanGapNs, long seed) {
      super(seed);
      this.meanGapNs = meanGapNs;
    }

    @Override
    long nextNs() {
      atNs += random.nextExponential() * meanGapNs;
      return (long) atNs;
    }
  }

  private static final class Hyper extends ArrivalTimes {
    private final double part;
    private final double shortNs;
    private final double longNs;

    Hyper(double meanGapNs, double cv, long seed) {
      super(seed);
      double square = cv * cv;
      this.part = (1 + Math.sqrt((square - 1) / (square + 1))) / 2;
      this.shortNs = meanGapNs / (2 * part);
      this.longNs = meanGapNs / (2 * (1 - part));
    }

    @Override
    long nextNs() {
      atNs += random.nextExponential() * (random.nextDouble() < part ? shortNs : longNs);
      return (long) atNs;
    }
  }

  private static final class OnOff extends ArrivalTimes {
    private final Scenario.Arrivals.OnOff process;
    private final double onGapNs;
    private final double offGapNs;
    private boolean on = true;
    private double switchNs;

    OnOff(double meanGapNs, Scenario.Arrivals.OnOff process, long seed) {
      super(seed);
      this.process = process;
      double meanLevel =
          (process.onNs() + process.offFraction() * process.offNs())
              / (process.onNs() + process.offNs());
      this.onGapNs = meanGapNs * meanLevel;
      this.offGapNs = process.offFraction() == 0 ? 0 : onGapNs / process.offFraction();
      this.switchNs = random.nextExponential() * process.onNs();
    }

    @Override
    long nextNs() {
      while (true) {
        double gapNs = on ? onGapNs : offGapNs;
        double nextNs = gapNs == 0 ? switchNs : atNs + random.nextExponential() * gapNs;
        if (nextNs < switchNs) {
          atNs = nextNs;
          return (long) atNs;
        }
        // Exponential gaps have no memory: the rest of this one may be drawn anew.
        atNs = switchNs;
        on = !on;
        switchNs += random.nextExponential() * (on ? process.onNs() : process.offNs());
      }
    }
  }

  /** By thinning: candidates at the highest rate, each kept in proportion to the rate there. */
  private static final class Curve extends ArrivalTimes {
    private final double[] at;
    private final double[] level;
    private final double highest;
    private final double candidateGapNs;

    Curve(double meanGapNs, Scenario.Arrivals.Curve curve, long seed) {
      super(seed);
      this.at = curve.points().stream().mapToDouble(Scenario.Arrivals.Curve.Point::atNs).toArray();
      this.level =
          curve.points().stream().mapToDouble(Scenario.Arrivals.Curve.Point::level).toArray();
      double area = 0;
      double top = 0;
      for (int i = 0; i < at.length; i++) {
        top = Math.max(top, level[i]);
        area += i == 0 ? 0 : (at[i] - at[i - 1]) * (level[i] + level[i - 1]) / 2;
      }
      double mean = area / at[at.length - 1];
      this.highest = top;
      this.candidateGapNs = meanGapNs * mean / top;
    }

    @Override
    long nextNs() {
      do {
        atNs += random.nextExponential() * candidateGapNs;
      } while (random.nextDouble() * highest >= level(atNs));
      return (long) atNs;
    }

    private double level(double timeNs) {
      double place = timeNs % at[at.length - 1];
      int next = 1;
      while (at[next] < place) {
        next++;
      }
      double part = (place - at[next - 1]) / (at[next] - at[next - 1]);
      return level[next - 1] + part * (level[next] - level[next - 1]);
    }
  }

  private static final class Trace extends ArrivalTimes {
    private final Scenario.Arrivals.Trace trace;
    private final double scale;
    private double startNs;
    private int next;
    private int model;

    Trace(double meanGapNs, Scenario.Arrivals.Trace trace, long seed) {
      super(seed);
      this.trace = trace;
      this.scale = meanGapNs * trace.requests().size() / trace.lengthNs();
    }

    @Override
    long nextNs() {
      if (next == trace.requests().size()) {
        next = 0;
        startNs += trace.lengthNs();
      }
      Scenario.Arrivals.Trace.Arrival arrival = trace.requests().get(next++);
      model = arrival.model();
      atNs = (startNs + arrival.atNs()) * scale;
      return (long) atNs;
    }

    @Override
    int model() {
      return model;
    }
  }
}
