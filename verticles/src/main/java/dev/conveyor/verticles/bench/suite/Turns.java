package dev.conveyor.verticles.bench.suite;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/** Windows of the compared sides by turns, so that noise of the machine hits each. Stateless. */
final class Turns {

  /** Each side has this many windows, which share the time that one would have had. */
  static final int ROUNDS = 3;

  private static final Duration SHORTEST = Duration.ofMillis(500);

  private Turns() {}

  /** One side; called several times. */
  @FunctionalInterface
  interface Side {
    Amount measure(Duration warmup, Duration duration) throws Exception;
  }

  /**
   * What was done, and what it took.
   *
   * @param spent seconds, of time or of CPU
   */
  record Amount(double done, double spent) {

    double rate() {
      return done / spent;
    }

    Amount plus(Amount other) {
      return new Amount(done + other.done, spent + other.spent);
    }
  }

  /** Returns the sum of each side's windows, in the order of the sides. */
  static List<Amount> run(Lab lab, List<Side> sides) throws Exception {
    List<Amount> sums = new ArrayList<>();
    for (int round = 0; round < ROUNDS; round++) {
      for (int i = 0; i < sides.size(); i++) {
        Duration warmup = round == 0 ? lab.warmup() : part(lab.warmup());
        Amount window = sides.get(i).measure(warmup, part(lab.duration()));
        if (round == 0) {
          sums.add(window);
        } else {
          sums.set(i, sums.get(i).plus(window));
        }
      }
    }
    return sums;
  }

  private static Duration part(Duration whole) {
    Duration part = whole.dividedBy(ROUNDS);
    return part.compareTo(SHORTEST) < 0 ? SHORTEST : part;
  }
}
