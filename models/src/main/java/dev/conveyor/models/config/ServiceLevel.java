package dev.conveyor.models.config;

import java.time.Duration;

/**
 * What the requests of a model are promised, and against whom.
 *
 * @param latencyObjective from the arrival of a request to its answer; zero for none
 * @param latencyPercentile part of the requests, in percent, that are to meet the objective:
 *     batches are planned with the time that this part of them stays under
 * @param priorityClass goes before the weights of other models
 * @param priorityAgeing after how long without service a model counts as one class higher, and a
 *     request as one priority level higher; zero takes five objectives, or one second without one
 */
public record ServiceLevel(
    Duration latencyObjective,
    double latencyPercentile,
    PriorityClass priorityClass,
    Duration priorityAgeing) {

  /** Classes of models, the first goes first; ageing keeps the others from starving. */
  public enum PriorityClass {
    CRITICAL(0),
    STANDARD(1),
    SHEDDABLE(2);

    private final int rank;

    PriorityClass(int rank) {
      this.rank = rank;
    }

    /** Returns 0 for the class that goes first, 1 for the next, and so on. */
    public int rank() {
      return rank;
    }
  }

  private static final Duration MICROSECOND = Duration.ofNanos(1000);
  private static final Duration LONGEST = Duration.ofDays(365);

  /** Costs are learned up to this percentile; to promise more would be to promise this. */
  private static final double MOST_PERCENT = 99;

  private static final Duration DEFAULT_AGEING = Duration.ofSeconds(1);

  // After the constants that its construction needs.
  public static final ServiceLevel DEFAULT =
      new ServiceLevel(Duration.ZERO, 99, PriorityClass.STANDARD, Duration.ZERO);

  public ServiceLevel {
    requireDuration("latency_objective_microseconds", latencyObjective);
    requireDuration("priority_ageing_microseconds", priorityAgeing);
    if (!(latencyPercentile > 0) || latencyPercentile > MOST_PERCENT) {
      throw new ConfigException(
          "latency_percentile", "a number above 0 and at most 99", latencyPercentile);
    }
  }

  /** Returns true if requests have an objective. */
  public boolean hasObjective() {
    return !latencyObjective.isZero();
  }

  /** Returns after how long waiting makes up for one class or level; above zero. */
  public Duration ageing() {
    if (!priorityAgeing.isZero()) {
      return priorityAgeing;
    }
    return hasObjective() ? latencyObjective.multipliedBy(5) : DEFAULT_AGEING;
  }

  private static void requireDuration(String key, Duration duration) {
    if (duration.isNegative() || duration.compareTo(LONGEST) > 0) {
      throw new ConfigException(
          key,
          "0 to " + LONGEST.dividedBy(MICROSECOND) + ", a year",
          duration.dividedBy(MICROSECOND));
    }
  }
}
