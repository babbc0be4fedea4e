package dev.conveyor.scheduler.simulation;

import java.util.function.Function;

/**
 * Finds the goodput of a policy: the highest rate at which at most 1 % of the requests are late,
 * refused or lost.
 *
 * <p>Halves the interval between 0 and a little above the scenario's bound until it is 0.2 % of the
 * bound wide. Every policy sees the same arrivals at the same rate. Stateless.
 */
public final class GoodputSearch {

  /** Part of the requests that may be bad. */
  public static final double BAD_LIMIT = 0.01;

  private static final double RESOLUTION = 0.002;
  private static final double ABOVE_BOUND = 1.02;

  private GoodputSearch() {}

  /** Returns requests per second; 0 if no rate is low enough. */
  public static double find(Scenario scenario, Function<Scenario, Policy> policy) {
    double bound = scenario.boundPerSecond();
    double low = 0;
    double high = bound * ABOVE_BOUND;
    while (high - low > bound * RESOLUTION) {
      double rate = (low + high) / 2;
      SimulationResult result = run(scenario, policy, rate);
      if (result.badFraction() <= BAD_LIMIT) {
        low = rate;
      } else {
        high = rate;
      }
    }
    return low;
  }

  /** Runs one policy, new for this run, at one rate. */
  public static SimulationResult run(
      Scenario scenario, Function<Scenario, Policy> policy, double ratePerSecond) {
    return new Simulator(scenario, ratePerSecond, policy.apply(scenario), SimulationObserver.NONE)
        .run();
  }
}
