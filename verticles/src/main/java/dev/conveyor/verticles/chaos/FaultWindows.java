package dev.conveyor.verticles.chaos;

/**
 * What was seen of one fault, injected once or several times: the windows before, during and after
 * it, and how long it took. What it cost is the worst time; latencies are of all times together, so
 * that there are enough of them.
 *
 * <p>Not thread-safe, but for the tallies: owned by the run.
 */
final class FaultWindows {

  private final String label;
  private final Tally before = new Tally();
  private final Tally during = new Tally();
  private final Tally after = new Tally();
  private double detectMs = -1;
  private double recoverMs;

  FaultWindows(String label) {
    this.label = label;
  }

  Tally before() {
    return before;
  }

  Tally during() {
    return during;
  }

  /** Returns the window once the fault was over: nothing may fail any more. */
  Tally after() {
    return after;
  }

  /**
   * Takes note of one time.
   *
   * @param detectMs -1 if there was nothing to detect
   */
  void took(double detectMs, double recoverMs) {
    this.detectMs = Math.max(this.detectMs, detectMs);
    this.recoverMs = Math.max(this.recoverMs, recoverMs);
  }

  FaultResult result() {
    return FaultResult.of(label, before, during, after, detectMs, recoverMs);
  }
}
