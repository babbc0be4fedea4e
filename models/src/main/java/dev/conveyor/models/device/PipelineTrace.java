package dev.conveyor.models.device;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.util.ArrayList;
import java.util.List;

/**
 * What batches did when, by the clock of the device. Thread-safe and bounded: batches beyond {@link
 * #MOST_BATCHES} are left out.
 *
 * <p>Each instance counts from the moment that it was told of this, so times of one instance belong
 * together, and those of several do not.
 */
public final class PipelineTrace {

  /** Batches that are kept. */
  public static final int MOST_BATCHES = 10_000;

  @GuardedBy("this")
  private final List<Batch> batches = new ArrayList<>();

  /**
   * One batch; times in nanoseconds since its instance began to count, exact to about a
   * microsecond.
   *
   * @param slot that it was in, from 0
   * @param items in it
   */
  public record Batch(
      int slot,
      int items,
      long copyInBeginNs,
      long copyInEndNs,
      long computeBeginNs,
      long computeEndNs,
      long copyOutEndNs) {}

  synchronized void add(Batch batch) {
    if (batches.size() < MOST_BATCHES) {
      batches.add(batch);
    }
  }

  /** Returns what was noted so far, in the order in which batches ended. */
  public synchronized List<Batch> batches() {
    return List.copyOf(batches);
  }

  /** Returns the share of time between the first and the last computation in which one ran. */
  public double computeShare() {
    long busyNs = 0;
    long untilNs = Long.MIN_VALUE;
    long firstNs = Long.MAX_VALUE;
    List<Batch> ordered = new ArrayList<>(batches());
    ordered.sort((a, b) -> Long.compare(a.computeBeginNs(), b.computeBeginNs()));
    for (Batch batch : ordered) {
      firstNs = Math.min(firstNs, batch.computeBeginNs());
      busyNs += Math.max(0, batch.computeEndNs() - Math.max(untilNs, batch.computeBeginNs()));
      untilNs = Math.max(untilNs, batch.computeEndNs());
    }
    return untilNs > firstNs ? (double) busyNs / (untilNs - firstNs) : 0;
  }
}
