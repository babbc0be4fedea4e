package dev.conveyor.models.tune;

import java.util.List;

/**
 * What a search found.
 *
 * @param best the winner's last run
 * @param heldBefore whether the winner met the objective in a run before its last
 * @param baseline the last run of the settings as they were
 * @param measured the last run of every setting that was tried, in the order of trying
 * @param runs how many runs were made
 * @param settings how many settings there were to choose from
 */
public record TuneResult(
    Measurement best,
    boolean heldBefore,
    Measurement baseline,
    List<Measurement> measured,
    int runs,
    int settings) {

  /** Less of a gain is not told from noise. */
  public static final double LEAST_GAIN = 1.02;

  public TuneResult {
    measured = List.copyOf(measured);
  }

  /** Returns whether the winner is better than the settings as they were, beyond noise. */
  public boolean improves(Objective objective) {
    if (best.setting().equals(baseline.setting()) || !objective.holds(best)) {
      return false;
    }
    return !objective.holds(baseline)
        || objective.worth(best) > LEAST_GAIN * objective.worth(baseline);
  }
}
