package dev.conveyor.scheduler.occupancy;

/**
 * A model that is to be placed.
 *
 * @param perSecond items that arrive
 * @param objectiveNs what a request may take from arrival to answer
 * @param overheadNs of it, what is needed before and after the batch
 * @param alphaNs a batch of b items takes {@code alphaNs * b + betaNs}
 * @param maxBatch largest batch
 * @param bytes memory that it holds on a device while it is there
 * @param loadNs time to bring it onto a device
 */
public record Tenant(
    String model,
    double perSecond,
    long objectiveNs,
    long overheadNs,
    double alphaNs,
    double betaNs,
    int maxBatch,
    long bytes,
    long loadNs) {

  private static final double SECOND_NS = 1e9;

  public Tenant {
    if (maxBatch < 1 || !(alphaNs + betaNs > 0) || perSecond < 0) {
      throw new IllegalArgumentException(
          model + ": batches have 1 item or more and take time, rates are not negative");
    }
  }

  double batchNs(int items) {
    return alphaNs * items + betaNs;
  }

  double budgetNs() {
    return (double) (objectiveNs - overheadNs);
  }

  /** Returns the largest batch that fits twice into the objective: one waits while one runs. */
  int saturatingBatch() {
    return largest(items -> 2 * batchNs(items) <= budgetNs());
  }

  /** Returns the items that a device of its own serves per second with the saturating batch. */
  double ratePerDevice() {
    int items = saturatingBatch();
    return items * SECOND_NS / batchNs(items);
  }

  /** Returns the largest batch that fills and runs within the objective at this rate. */
  int residualBatch(double rate) {
    return rate <= 0
        ? 1
        : largest(items -> (items - 1) / rate * SECOND_NS + batchNs(items) <= budgetNs());
  }

  /** Returns the longest cycle in which one batch of this size keeps up and keeps the objective. */
  double dutyNs(int items, double rate) {
    double latest = budgetNs() - batchNs(items);
    double filled = rate <= 0 ? latest : items / rate * SECOND_NS;
    return Math.max(batchNs(items), Math.min(latest, filled));
  }

  private int largest(java.util.function.IntPredicate fits) {
    int low = 1;
    int high = maxBatch;
    while (low < high) {
      int middle = (low + high + 1) >>> 1;
      if (fits.test(middle)) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return low;
  }
}
