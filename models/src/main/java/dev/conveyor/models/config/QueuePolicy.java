package dev.conveyor.models.config;

import java.time.Duration;

/**
 * What a queue does with requests that wait too long or are too many (Triton's {@code
 * ModelQueuePolicy}).
 *
 * @param timeoutAction what happens to a request that has waited {@code defaultTimeout}
 * @param defaultTimeout longest wait; zero waits without limit
 * @param allowTimeoutOverride whether a request's own, shorter {@code timeout} replaces it
 * @param maxQueueSize requests held before new ones are refused; 0 takes the server's limit
 */
public record QueuePolicy(
    TimeoutAction timeoutAction,
    Duration defaultTimeout,
    boolean allowTimeoutOverride,
    int maxQueueSize) {

  /** What happens to a request whose wait is over. */
  public enum TimeoutAction {
    /** Fail it. */
    REJECT,
    /** Run it after every request that has not timed out. */
    DELAY
  }

  public static final QueuePolicy DEFAULT =
      new QueuePolicy(TimeoutAction.REJECT, Duration.ZERO, false, 0);

  public QueuePolicy {
    if (defaultTimeout.isNegative()) {
      throw new ConfigException("default_timeout_microseconds", "0 or more", defaultTimeout);
    }
    if (maxQueueSize < 0) {
      throw new ConfigException("max_queue_size", "0 or more", maxQueueSize);
    }
  }
}
