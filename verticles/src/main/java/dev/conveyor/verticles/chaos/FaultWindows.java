package dev.conveyor.verticles.chaos;

/**
 * What was seen of one fault, injected once or several times: windows without and with it in turns,
 * together as long, and how long it took. What it cost is the worst time; latencies are of all
 * times together, so that there are enough of them.
 *
 * <p>Not thread-safe, but for the tallies: owned by the run.
 */
final class FaultWindows {

  private final String label;
  private final Tally before = new Tally();
  private final Tally during = new Tally();
  private final Tally between = new Tally();
  private double detectMs = -1;
  private double recoverMs;
  private long owedMs;
  private int injected;
  private int overlapping;

  FaultWindows(String label) {
    this.label = label;
  }

  /** Returns the windows without the fault that those with it are held against. */
  Tally before() {
    return before;
  }

  Tally during() {
    return during;
  }

  /** Returns what is in none of the others: nothing may fail there either. */
  Tally between() {
    return between;
  }

  /** Takes note of a window without the fault. */
  void calm(long ms) {
    owedMs -= ms;
  }

  /** Takes note of a window with the fault. */
  void disturbed(long ms) {
    owedMs += ms;
  }

  /** Returns how much longer all windows with the fault were than those without. */
  long owedMs() {
    return Math.max(0, owedMs);
  }

  /**
   * Takes note of one time.
   *
   * @param detectMs -1 if there was nothing to detect, infinite if it was not
   * @param recoverMs infinite if the model did not answer again
   */
  void took(double detectMs, double recoverMs) {
    injected++;
    this.detectMs = Math.max(this.detectMs, detectMs);
    this.recoverMs = Math.max(this.recoverMs, recoverMs);
  }

  /** Takes note of faults of which some began while others lasted. */
  void overlapped(int faults, int overlaps) {
    injected = faults;
    overlapping = overlaps;
  }

  FaultResult result() {
    return FaultResult.of(
        label,
        before,
        during,
        between,
        new FaultResult.Course(injected, overlapping, detectMs, recoverMs));
  }
}
