package dev.conveyor.models.config;

import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * What a model takes in before it turns requests away: the {@code admission} part of its {@code
 * conveyor} block. By default only what Triton bounds, too: the number of requests in the queue.
 *
 * @param maxQueueBytes inputs that may wait; 0 for no bound
 * @param targetQueueDelay wait above which, for {@code overloadInterval}, the model counts as
 *     overloaded, and which requests without a deadline then wait at most; zero for never
 * @param overloadInterval how long the shortest wait must be above the target
 * @param quota of all clients together; null for none
 */
public record Admission(
    long maxQueueBytes,
    Duration targetQueueDelay,
    Duration overloadInterval,
    @Nullable Quota quota) {

  public static final Admission DEFAULT =
      new Admission(0, Duration.ZERO, Duration.ofMillis(100), null);

  public Admission {
    if (maxQueueBytes < 0) {
      throw new ConfigException("max_queue_bytes", "0 or more", maxQueueBytes);
    }
    requireUpToADay("target_queue_delay_microseconds", 0, targetQueueDelay);
    requireUpToADay("overload_interval_microseconds", 1, overloadInterval);
  }

  private static void requireUpToADay(String key, long minMicros, Duration found) {
    long micros = TimeUnit.MICROSECONDS.convert(found);
    if (micros < minMicros || found.compareTo(Duration.ofDays(1)) > 0) {
      throw new ConfigException(key, minMicros + " to 86400000000", micros);
    }
  }
}
