package dev.conveyor.scheduler.admission;

import java.util.Arrays;

/**
 * Learns by how much requests are answered later than was predicted: the 95th percentile of the
 * last 64.
 *
 * <p>Not thread-safe: owned by the scheduler, one per model. To be early is no error. The
 * percentile is computed anew every eight samples, because sorting costs more than it tells.
 */
public final class LatencyMargin {

  private static final int WINDOW = 64;
  private static final int RENEW_EVERY = 8;

  private final long[] errorsNs = new long[WINDOW];
  private long samples;
  private long p95Ns;

  /**
   * Takes note of a request that was answered so much later than predicted; negative if earlier.
   */
  public void record(long lateNs) {
    errorsNs[(int) (samples++ % WINDOW)] = Math.max(0, lateNs);
    if (samples % RENEW_EVERY == 0) {
      int known = (int) Math.min(samples, WINDOW);
      long[] sorted = Arrays.copyOf(errorsNs, known);
      Arrays.sort(sorted);
      p95Ns = sorted[(known * 95 + 99) / 100 - 1];
    }
  }

  /** Returns what to add to a prediction; 0 until a few are known. */
  public long ns() {
    return p95Ns;
  }
}
