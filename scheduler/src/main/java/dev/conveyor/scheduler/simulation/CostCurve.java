package dev.conveyor.scheduler.simulation;

/**
 * What a batch of each size takes on a device of speed 1, without noise. Immutable.
 *
 * <p>Never falls with the size, so that the largest batch within a time is found by halving.
 */
public final class CostCurve {

  private final long[] ns;

  private CostCurve(long[] ns) {
    for (int i = 1; i < ns.length; i++) {
      ns[i] = Math.max(ns[i], ns[i - 1]);
    }
    this.ns = ns;
  }

  /** Returns {@code alpha * size + beta} for sizes up to {@code maxBatchSize}. */
  public static CostCurve linear(double alphaNs, double betaNs, int maxBatchSize) {
    long[] ns = new long[maxBatchSize];
    for (int i = 0; i < maxBatchSize; i++) {
      ns[i] = Math.round(alphaNs * (i + 1) + betaNs);
    }
    return new CostCurve(ns);
  }

  /**
   * Returns the line through measured points: level before the first, proportional to the size
   * after the last.
   *
   * @param sizes ascending
   * @param costsNs one per size
   */
  public static CostCurve through(int[] sizes, double[] costsNs, int maxBatchSize) {
    long[] ns = new long[maxBatchSize];
    int last = sizes.length - 1;
    int next = 0;
    for (int size = 1; size <= maxBatchSize; size++) {
      while (next < last && sizes[next] < size) {
        next++;
      }
      double cost;
      if (size >= sizes[last]) {
        cost = costsNs[last] * size / sizes[last];
      } else if (next == 0) {
        cost = costsNs[0];
      } else {
        double part = (double) (size - sizes[next - 1]) / (sizes[next] - sizes[next - 1]);
        cost = costsNs[next - 1] + part * (costsNs[next] - costsNs[next - 1]);
      }
      ns[size - 1] = Math.round(cost);
    }
    return new CostCurve(ns);
  }

  public int maxBatchSize() {
    return ns.length;
  }

  /** Returns the time of a batch, from 1 to {@link #maxBatchSize} items. */
  public long ns(int items) {
    return ns[items - 1];
  }

  /** Returns the largest batch that takes at most {@code limitNs}; 0 if even one item does not. */
  public int largestWithin(long limitNs) {
    int low = 0;
    int high = ns.length;
    while (low < high) {
      int middle = (low + high + 1) >>> 1;
      if (ns[middle - 1] <= limitNs) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return low;
  }
}
