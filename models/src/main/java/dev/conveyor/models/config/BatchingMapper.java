package dev.conveyor.models.config;

import static dev.conveyor.models.config.Keys.each;
import static dev.conveyor.models.config.Keys.under;

import dev.conveyor.models.proto.ModelDynamicBatching;
import dev.conveyor.models.proto.ModelQueuePolicy;
import java.time.Duration;
import java.time.temporal.ChronoUnit;
import java.util.HashMap;
import java.util.Map;

/** Turns the parsed {@code dynamic_batching} of a file into its record. */
final class BatchingMapper {

  /** Longest time that still fits in a long of nanoseconds: 292 years. */
  private static final long MAX_MICROS = Long.MAX_VALUE / 1000;

  private BatchingMapper() {}

  /**
   * Maps the block.
   *
   * @param maxBatchSize as configured, or {@link ModelConfig#UNSET}
   */
  static DynamicBatching map(ModelDynamicBatching batching, int maxBatchSize) {
    Map<Integer, QueuePolicy> policies = new HashMap<>();
    batching
        .getPriorityQueuePolicyMap()
        .forEach(
            (level, policy) ->
                under(
                    "priority_queue_policy." + Long.toUnsignedString(level),
                    () -> policies.put(level("", level), queuePolicy(policy))));
    return new DynamicBatching(
        each(
            "preferred_batch_size",
            batching.getPreferredBatchSizeList(),
            size -> preferred(size, maxBatchSize)),
        micros("max_queue_delay_microseconds", batching.getMaxQueueDelayMicroseconds()),
        batching.getPreserveOrdering(),
        level("priority_levels", batching.getPriorityLevels()),
        level("default_priority_level", batching.getDefaultPriorityLevel()),
        under("default_queue_policy", () -> queuePolicy(batching.getDefaultQueuePolicy())),
        policies);
  }

  private static int preferred(int size, int maxBatchSize) {
    if (size < 1) {
      throw new ConfigException("", "a size of at least 1", size);
    }
    if (maxBatchSize != ModelConfig.UNSET && size > Math.max(1, maxBatchSize)) {
      throw new ConfigException("", "at most max_batch_size=" + maxBatchSize, size);
    }
    return size;
  }

  private static QueuePolicy queuePolicy(ModelQueuePolicy policy) {
    if (policy.getMaxQueueSize() < 0) {
      throw new ConfigException(
          "max_queue_size",
          "at most " + Integer.MAX_VALUE,
          Integer.toUnsignedString(policy.getMaxQueueSize()));
    }
    return new QueuePolicy(
        QueuePolicy.TimeoutAction.valueOf(policy.getTimeoutAction().name()),
        micros("default_timeout_microseconds", policy.getDefaultTimeoutMicroseconds()),
        policy.getAllowTimeoutOverride(),
        policy.getMaxQueueSize());
  }

  private static Duration micros(String key, long micros) {
    if (micros < 0 || micros > MAX_MICROS) {
      throw new ConfigException(key, "at most " + MAX_MICROS, Long.toUnsignedString(micros));
    }
    return Duration.of(micros, ChronoUnit.MICROS);
  }

  private static int level(String key, long level) {
    if (level < 0 || level > Integer.MAX_VALUE) {
      throw new ConfigException(key, "at most " + Integer.MAX_VALUE, Long.toUnsignedString(level));
    }
    return (int) level;
  }
}
