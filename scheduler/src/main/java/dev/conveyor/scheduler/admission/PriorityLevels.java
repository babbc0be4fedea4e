package dev.conveyor.scheduler.admission;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What waits for a model that has priority levels, as a request of each level finds it. Immutable.
 *
 * @param defaultLevel of requests that name no level of the model
 * @param upTo what is of a level or a higher one, for each level from the highest; empty for a
 *     model without levels
 */
public record PriorityLevels(int defaultLevel, List<Waiting> upTo) {

  /** Of a request that has not said yet what its level is. */
  public static final int UNKNOWN = -1;

  /** A model without levels. */
  public static final PriorityLevels NONE = new PriorityLevels(1, List.of());

  /**
   * What stands in the way of a request.
   *
   * @param requests that wait
   * @param items sum of their batch sizes
   * @param bytes sum of their inputs
   * @param full whether the queue takes no request of this level
   * @param servable as {@link ModelLoad#servable}
   */
  public record Waiting(int requests, int items, long bytes, boolean full, boolean servable) {}

  public PriorityLevels {
    upTo = List.copyOf(upTo);
  }

  /**
   * Returns what a request of this priority finds, at best if that is {@link #UNKNOWN}; null for a
   * model without levels.
   */
  @Nullable Waiting of(int priority) {
    if (upTo.isEmpty()) {
      return null;
    }
    if (priority == UNKNOWN) {
      Waiting highest = upTo.get(0);
      boolean full = upTo.stream().allMatch(Waiting::full);
      return new Waiting(
          highest.requests(), highest.items(), highest.bytes(), full, highest.servable());
    }
    return upTo.get(level(priority) - 1);
  }

  /** Returns the level of a request of this priority, at best if that is {@link #UNKNOWN}. */
  int level(int priority) {
    if (priority == UNKNOWN) {
      return 1;
    }
    return priority < 1 || priority > upTo.size() ? defaultLevel : priority;
  }
}
