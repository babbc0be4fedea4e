package dev.conveyor.verticles.chaos;

import java.util.concurrent.TimeUnit;

/**
 * Keeps the load up until latencies under it fall no more. While the compilers of the server and of
 * this client still have work, on the cores that both share, what follows differs from what was
 * before without any fault. Stateless.
 */
final class WarmUp {

  private static final long WINDOW_MS = 1000;

  /** So many windows in a row without a better one. */
  private static final int ENOUGH = 6;

  /** A better one is that much better: what is less is chance. */
  private static final double BETTER = 0.9;

  private WarmUp() {}

  /** Waits for at most {@code mostMs} milliseconds. */
  static void await(LoadLoop load, long mostMs) throws InterruptedException {
    long startNs = System.nanoTime();
    double bestMs = Double.MAX_VALUE;
    int windows = 0;
    while (windows < ENOUGH && System.nanoTime() - startNs < mostMs * 1_000_000) {
      Tally tally = new Tally();
      load.window(tally);
      TimeUnit.MILLISECONDS.sleep(WINDOW_MS);
      double p99Ms = tally.untouchedP99Ms();
      boolean better = p99Ms < BETTER * bestMs;
      bestMs = better ? p99Ms : bestMs;
      windows = better ? 0 : windows + 1;
    }
  }
}
