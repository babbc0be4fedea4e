package dev.conveyor.scheduler.rollout;

import java.util.Arrays;

/**
 * The last outcomes of one version: how many failed, and how long those took that did not.
 *
 * <p>Not thread-safe: owned by its {@link RolloutGuard}.
 */
final class OutcomeWindow {

  private static final long FAILED = -1;

  private final long[] tookNs;
  private int next;
  private int size;
  private int failures;

  OutcomeWindow(int capacity) {
    this.tookNs = new long[capacity];
  }

  void answered(long ns) {
    add(Math.max(0, ns));
  }

  void failed() {
    failures++;
    add(FAILED);
  }

  private void add(long entry) {
    if (size == tookNs.length) {
      failures -= tookNs[next] == FAILED ? 1 : 0;
    } else {
      size++;
    }
    tookNs[next] = entry;
    next = (next + 1) % tookNs.length;
  }

  int size() {
    return size;
  }

  /** Returns the part that failed; 0 without outcomes. */
  double errorRate() {
    return size == 0 ? 0 : (double) failures / size;
  }

  /** Returns the 99th percentile of the latencies, nearest rank; 0 if nothing was answered. */
  long p99Ns() {
    long[] answered = Arrays.stream(tookNs, 0, size).filter(ns -> ns != FAILED).sorted().toArray();
    return answered.length == 0 ? 0 : answered[(answered.length * 99 + 99) / 100 - 1];
  }
}
