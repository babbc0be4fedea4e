package dev.conveyor.models.optimize.evaluate;

import java.util.Map;

/**
 * What an evaluation of a model came to.
 *
 * @param metric what {@code percent} is: of the truth, or, where none is known, of agreement
 * @param percent 0 to 100
 * @param labelled whether {@code percent} was held against the truth
 * @param details further figures in percent
 * @param agreement with the original
 */
public record Scores(
    String metric,
    double percent,
    boolean labelled,
    Map<String, Double> details,
    Agreement agreement) {

  public Scores {
    details = Map.copyOf(details);
  }

  /** Returns the points lost against another evaluation on the same data; negative if gained. */
  public double dropFrom(Scores original) {
    return original.percent - percent;
  }
}
