package dev.conveyor.scheduler.admission;

import java.util.Arrays;

/**
 * Learns by how much requests are answered later than was predicted: the 95th percentile of the
 * last 64 of the last ten seconds.
 *
 * <p>Not thread-safe: owned by the scheduler, one per model. To be early is no error. What is old
 * is forgotten, because a margin that keeps every request out would otherwise never be corrected.
 * The percentile is computed anew every eight samples, and once a second, because sorting costs
 * more than it tells.
 */
public final class LatencyMargin {

  private static final int WINDOW = 64;
  private static final int RENEW_EVERY = 8;
  private static final long RENEW_NS = 1_000_000_000;
  private static final long FORGET_NS = 10_000_000_000L;

  private final long[] errorsNs = new long[WINDOW];
  private final long[] atNs = new long[WINDOW];
  private long samples;
  private long p95Ns;
  private long renewedNs;

  /**
   * Takes note of a request that was answered now, so much later than predicted; negative if
   * earlier.
   */
  public void record(long lateNs, long nowNs) {
    int slot = (int) (samples++ % WINDOW);
    errorsNs[slot] = Math.max(0, lateNs);
    atNs[slot] = nowNs;
    if (samples % RENEW_EVERY == 0) {
      renew(nowNs);
    }
  }

  /** Returns what to add to a prediction; 0 until a few are known. */
  public long ns(long nowNs) {
    if (p95Ns > 0 && nowNs - renewedNs >= RENEW_NS) {
      renew(nowNs);
    }
    return p95Ns;
  }

  private void renew(long nowNs) {
    renewedNs = nowNs;
    long[] recent = new long[WINDOW];
    int known = 0;
    for (int i = 0; i < Math.min(samples, WINDOW); i++) {
      if (nowNs - atNs[i] < FORGET_NS) {
        recent[known++] = errorsNs[i];
      }
    }
    Arrays.sort(recent, 0, known);
    p95Ns = known == 0 ? 0 : recent[(known * 95 + 99) / 100 - 1];
  }
}
