package dev.conveyor.models.tune;

/**
 * What the best setting is: the most throughput whose 99th percentile of latency is within a limit.
 *
 * <p>Where executions have more threads while nothing else wants the cores, the weights are in
 * memory twice; that has to be worth {@link #MEMORY_WORTH} of the throughput.
 *
 * <p>As throughput is never measured exactly, it is worth up to {@link #LATENCY_WORTH} of it to be
 * far below the limit: between settings that keep up with an open load, the faster wins.
 *
 * @param p99Ns largest 99th percentile, in nanoseconds
 */
public record Objective(double p99Ns) {

  static final double LATENCY_WORTH = 0.02;
  static final double MEMORY_WORTH = 0.005;

  public Objective {
    if (!(p99Ns > 0)) {
      throw new IllegalArgumentException("p99: expected more than 0 ns, found " + p99Ns);
    }
  }

  /** Returns whether a run meets it. */
  public boolean holds(Measurement run) {
    return run.isSound() && run.p99Ns() <= p99Ns;
  }

  /**
   * Returns what a setting is worth: its throughput, had the run been alone on the machine, less
   * the latency's share, if it meets the objective; else a negative number, nearer to 0 the less it
   * exceeds the limit.
   */
  public double worth(Measurement run) {
    if (!run.isSound()) {
      return Double.NEGATIVE_INFINITY;
    }
    double part = run.p99Ns() / p99Ns;
    double memory = run.setting().idleThreads() > 0 ? MEMORY_WORTH : 0;
    return part <= 1
        ? run.undisturbedPerSecond() * (1 - LATENCY_WORTH * part) * (1 - memory)
        : -part;
  }
}
