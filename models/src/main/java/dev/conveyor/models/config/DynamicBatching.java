package dev.conveyor.models.config;

import java.time.Duration;
import java.util.List;
import java.util.Map;

/**
 * How requests for one model are grouped (Triton's {@code ModelDynamicBatching}).
 *
 * @param preferredBatchSizes sizes at which a batch runs at once, ascending; empty means only the
 *     largest
 * @param maxQueueDelay longest time the oldest request waits for a preferred size; zero takes what
 *     is queued
 * @param preserveOrdering answers leave in the order in which requests left the queue
 * @param priorityLevels number of priority levels, 1 the highest; 0 turns priorities off
 * @param defaultPriorityLevel level of a request that names none
 * @param defaultQueuePolicy policy of every level without one of its own
 * @param priorityQueuePolicies policy by level
 */
public record DynamicBatching(
    List<Integer> preferredBatchSizes,
    Duration maxQueueDelay,
    boolean preserveOrdering,
    int priorityLevels,
    int defaultPriorityLevel,
    QueuePolicy defaultQueuePolicy,
    Map<Integer, QueuePolicy> priorityQueuePolicies) {

  public static final DynamicBatching DEFAULT =
      new DynamicBatching(List.of(), Duration.ZERO, false, 0, 0, QueuePolicy.DEFAULT, Map.of());

  public DynamicBatching {
    preferredBatchSizes = preferredBatchSizes.stream().sorted().distinct().toList();
    priorityQueuePolicies = Map.copyOf(priorityQueuePolicies);
    if (!preferredBatchSizes.isEmpty() && preferredBatchSizes.get(0) < 1) {
      throw new ConfigException(
          "preferred_batch_size", "a size of at least 1", preferredBatchSizes.get(0));
    }
    if (maxQueueDelay.isNegative()) {
      throw new ConfigException("max_queue_delay_microseconds", "0 or more", maxQueueDelay);
    }
    if (priorityLevels < 0) {
      throw new ConfigException("priority_levels", "0 or more", priorityLevels);
    }
    if (priorityLevels > 0 && (defaultPriorityLevel < 1 || defaultPriorityLevel > priorityLevels)) {
      throw new ConfigException(
          "default_priority_level", "1 to priority_levels=" + priorityLevels, defaultPriorityLevel);
    }
    for (Integer level : priorityQueuePolicies.keySet()) {
      if (level < 1 || level > priorityLevels) {
        throw new ConfigException(
            "priority_queue_policy",
            "levels 1 to priority_levels=" + priorityLevels,
            "level " + level);
      }
    }
  }

  /** Returns the policy of a level. */
  public QueuePolicy policy(int level) {
    return priorityQueuePolicies.getOrDefault(level, defaultQueuePolicy);
  }
}
