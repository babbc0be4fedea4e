package dev.conveyor.scheduler.placement;

/**
 * What one model can do on one device: its batches in duty cycles. Immutable.
 *
 * <p>A device that serves several models goes round them, one batch each, once per duty cycle. A
 * request that just missed its batch waits for a cycle and then for its own batch, which together
 * must be within the objective.
 */
final class DeviceFit {

  /** Without an objective, latency is held against so many of the largest batches. */
  private static final double EXECUTIONS = 4;

  private final ModelNeed model;
  private final ModelNeed.BatchTimes times;
  private final double slowness;
  private final double limitNs;
  private final boolean meets;
  private final int wholeBatch;

  DeviceFit(ModelNeed model, ModelNeed.BatchTimes times, double speed) {
    this.model = model;
    this.times = times;
    this.slowness = 1 / speed;
    double wantedNs =
        model.objectiveNs() > 0 ? model.objectiveNs() : EXECUTIONS * ns(model.maxBatchSize());
    this.meets = ns(1) <= wantedNs;
    // What cannot be met is served all the same, one by one.
    this.limitNs = Math.max(wantedNs, 2 * ns(1));
    this.wholeBatch = largest(batch -> 2 * ns(batch) <= limitNs);
  }

  private interface Test {
    boolean holds(int batch);
  }

  /**
   * Returns the largest batch for which a test holds that holds for all smaller ones; 1 if none.
   */
  private int largest(Test test) {
    int low = 1;
    int high = model.maxBatchSize();
    while (low < high) {
      int middle = (low + high + 1) >>> 1;
      if (test.holds(middle)) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return low;
  }

  /** Returns what a batch takes here. */
  double ns(int items) {
    return times.ns(items) * slowness;
  }

  /** Returns true if a batch of one is within the objective. */
  boolean meets() {
    return meets;
  }

  /** Returns the batch with which a whole slot serves most: two of them within the objective. */
  int wholeBatch() {
    return wholeBatch;
  }

  double wholeDutyNs() {
    return ns(wholeBatch);
  }

  /** Returns the items per second of a whole slot. */
  double wholeRate() {
    return wholeBatch / wholeDutyNs() * 1e9;
  }

  /** Returns the longest duty cycle in which a rate below {@link #wholeRate} can be served. */
  double dutyNs(double rate) {
    double gapNs = 1e9 / rate;
    int batch = largest(b -> (b - 1) * gapNs + ns(b) <= limitNs);
    return Math.min(limitNs - ns(batch), batch * gapNs);
  }

  /**
   * Returns how long the device is busy with a rate in one duty cycle, on average. Between two
   * batch sizes it is in between, and in proportion below one item: batches are cut when there is
   * something to run and not by a fixed schedule, so that no time is set aside for what did not
   * come.
   */
  double busyNs(double rate, double dutyNs) {
    double items = rate * dutyNs / 1e9;
    int most = model.maxBatchSize();
    if (items >= most) {
      return items / most * ns(most);
    }
    int below = (int) items;
    double part = items - below;
    double belowNs = below == 0 ? 0 : ns(below);
    return belowNs + part * (ns(below + 1) - belowNs);
  }
}
