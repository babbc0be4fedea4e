package dev.conveyor.verticles.supervisor;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.RefusalReason;
import dev.conveyor.models.config.DynamicBatching;
import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.verticles.ColdRequest;
import org.jspecify.annotations.Nullable;

/**
 * The requests that wait for one model to be loaded: as many as its queue will hold, by number and
 * by bytes of input, of each priority level.
 *
 * <p>Not thread-safe: owned by {@link ColdStarts}.
 */
final class ColdRoom {

  private final String model;
  private final DynamicBatching batching;
  private final int defaultMaxQueueSize;
  private final long maxQueueBytes;
  private final int[] requestsOfLevel;
  private final long[] bytesOfLevel;

  /**
   * Creates an empty room.
   *
   * @param defaultMaxQueueSize bound of a level whose queue policy names none
   */
  ColdRoom(ModelConfig config, int defaultMaxQueueSize) {
    this.model = config.name();
    this.batching = config.dynamicBatching().orElse(DynamicBatching.DEFAULT);
    this.defaultMaxQueueSize = defaultMaxQueueSize;
    this.maxQueueBytes = config.extensions().admission().maxQueueBytes();
    this.requestsOfLevel = new int[Math.max(1, batching.priorityLevels()) + 1];
    this.bytesOfLevel = new long[requestsOfLevel.length];
  }

  /**
   * Takes a request in until {@link #leave}; returns null, or why there is no room for it.
   *
   * @param readyInNs after how long there will be
   */
  @Nullable InferenceException enter(ColdRequest request, long readyInNs) {
    int level = level(request);
    int bound = batching.policy(level).maxQueueSize();
    int waiting = requestsOfLevel[level];
    if (waiting >= (bound > 0 ? bound : defaultMaxQueueSize)) {
      return refusal(RefusalReason.QUEUE_FULL, waiting + " requests wait", readyInNs);
    }
    int before = 0;
    long bytes = 0;
    for (int higher = 1; higher <= level; higher++) {
      before += requestsOfLevel[higher];
      bytes += bytesOfLevel[higher];
    }
    // As in the queue, the first one may have any size.
    if (maxQueueBytes > 0 && before > 0 && request.inputBytes() > maxQueueBytes - bytes) {
      return refusal(
          RefusalReason.QUEUE_BYTES,
          "%d bytes of input, of %d at most, wait".formatted(bytes, maxQueueBytes),
          readyInNs);
    }
    requestsOfLevel[level]++;
    bytesOfLevel[level] += request.inputBytes();
    return null;
  }

  void leave(ColdRequest request) {
    requestsOfLevel[level(request)]--;
    bytesOfLevel[level(request)] -= request.inputBytes();
  }

  private int level(ColdRequest request) {
    int lowest = requestsOfLevel.length - 1;
    boolean isNamed = request.priority() >= 1 && request.priority() <= lowest;
    return isNamed ? request.priority() : Math.max(1, batching.defaultPriorityLevel());
  }

  private InferenceException refusal(RefusalReason reason, String what, long readyInNs) {
    return new InferenceException(
        ErrorCode.QUEUE_FULL,
        "Model '%s' is loading and %s for it already".formatted(model, what),
        reason,
        Math.max(1, readyInNs));
  }
}
