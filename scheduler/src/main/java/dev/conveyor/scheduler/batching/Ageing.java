package dev.conveyor.scheduler.batching;

import dev.conveyor.scheduler.InferenceRequest;
import java.util.function.ObjIntConsumer;

/**
 * Lets requests go up that have waited for long: strict levels starve the lower ones. One that has
 * waited for the ageing time goes to the end of the next higher level, and so on; among tenants it
 * goes to the end of its tenant's there.
 *
 * <p>Not thread-safe: owned by its {@link RequestQueue}, whose lanes it moves them between. Reads
 * no clock.
 */
final class Ageing {

  private final Lane[] lanes;
  private final int[] laneOfLevel;
  private final QueueCounts counts;
  private final long ageingNs;
  private ObjIntConsumer<InferenceRequest> listener = (request, level) -> {};

  /**
   * Creates the rule.
   *
   * @param laneOfLevel first lane of each level, from 1
   * @param ageingNs time after which a request goes up one level
   */
  Ageing(Lane[] lanes, int[] laneOfLevel, QueueCounts counts, long ageingNs) {
    this.lanes = lanes;
    this.laneOfLevel = laneOfLevel;
    this.counts = counts;
    this.ageingNs = ageingNs;
  }

  /**
   * Tells somebody of each request that changes levels, and to which, before it is queued there.
   */
  void tell(ObjIntConsumer<InferenceRequest> listener) {
    this.listener = listener;
  }

  /** Moves what has waited for long. Returns true if the queue changed. */
  boolean run(long nowNs) {
    boolean changed = false;
    for (int level = 2; level < laneOfLevel.length; level++) {
      int from = laneOfLevel[level];
      for (int i = from; i < lanes.length && (i == from || i == from + 1); i++) {
        changed |= (i == from || lanes[from].delays()) && run(lanes[i], level, nowNs);
      }
    }
    return changed;
  }

  /** Takes note that a request that has gone up goes back to its own level, to wait there. */
  void comesBack(InferenceRequest request) {
    listener.accept(request, counts.level(request));
  }

  /** Any may be due, not only the first: among tenants the oldest is not always at the head. */
  private boolean run(Lane lane, int level, long nowNs) {
    return lane.size() > 0
        && nowNs - lane.earliestEnqueuedNs() >= ageingNs
        && lane.removeIf(i -> goesUpIfDue(lane, i, level, nowNs));
  }

  private boolean goesUpIfDue(Lane lane, int i, int level, long nowNs) {
    InferenceRequest request = lane.request(i);
    long enqueuedNs = lane.enqueuedNs(i);
    long steps = 1L + counts.level(request) - level;
    if (nowNs - enqueuedNs < steps * ageingNs) {
      return false;
    }
    listener.accept(request, level - 1);
    lanes[laneOfLevel[level - 1]].add(request, enqueuedNs, lane.dueNs(i), lane.deadlineNs(i));
    return true;
  }
}
