package dev.conveyor.scheduler.batching;

import dev.conveyor.models.config.DynamicBatching;
import dev.conveyor.scheduler.Batch;
import dev.conveyor.scheduler.InferenceRequest;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Cuts batches of a model without a latency objective, as Triton's dynamic batcher does.
 *
 * <p>Not thread-safe: owned by the scheduler. Of the prefixes of the queue that could be a batch:
 *
 * <ol>
 *   <li>If the oldest request has waited {@code max_queue_delay}: the longest.
 *   <li>Otherwise the longest whose size is one of the preferred sizes, if there is one.
 *   <li>Otherwise, once more arrivals cannot make a preferred size (the queue holds more than the
 *       largest, or the next request does not fit or has another shape): the longest that is not
 *       larger than the largest preferred size, or the first request alone if that one is larger.
 *   <li>Otherwise, without a delay: the longest. With a delay: wait.
 * </ol>
 *
 * <p>No preferred sizes means {@code max_batch_size} is the only one. Without dynamic batching, or
 * if the model has no batch dimension, every request is its own batch and nothing waits. Queue
 * policies decide who waits and for how long, never how batches are cut.
 *
 * <p>A request whose client gave a deadline ends the waiting when the longest batch must start to
 * make it, because to wait beyond that would make the request fail for nothing.
 *
 * <p>The outcome of the walk is kept until the queue changes, so that asking is cheap.
 */
public final class DynamicBatcher extends Batcher {

  private static final Duration LONGEST_DELAY = Duration.ofDays(36_500);

  private final int[] preferred;
  private final long delayNs;

  private boolean planned;
  private int longestCount;
  private int longestItems;
  private boolean longestIsFull;
  private boolean hasNext;
  private int readyCount;
  private long oldestNs;
  private long deadlineNs;

  /**
   * Creates an empty batcher.
   *
   * @param model what messages call it
   * @param maxBatchSize 0 for a model without a batch dimension
   * @param queue holds its requests
   */
  public DynamicBatcher(
      String model,
      int maxBatchSize,
      Optional<DynamicBatching> dynamicBatching,
      RequestQueue queue) {
    super(model, maxBatchSize, dynamicBatching.isPresent(), queue);
    DynamicBatching batching = dynamicBatching.orElse(DynamicBatching.DEFAULT);
    this.preferred =
        combines && !batching.preferredBatchSizes().isEmpty()
            ? batching.preferredBatchSizes().stream().mapToInt(Integer::intValue).toArray()
            : new int[] {maxItems};
    this.delayNs = combines ? min(batching.maxQueueDelay(), LONGEST_DELAY).toNanos() : 0;
  }

  @Override
  public void expire(long nowNs, List<Rejection> rejected) {
    long before = queue.expired();
    if (queue.expire(nowNs, rejected)) {
      countDropped((int) (queue.expired() - before), TIMED_OUT);
      changed();
    }
  }

  @Override
  public boolean isReady(long nowNs, BatchCosts costs) {
    return count(nowNs, costs) > 0;
  }

  @Override
  public @Nullable Batch take(
      long batchId, long nowNs, BatchCosts costs, List<Rejection> rejected) {
    expire(nowNs, rejected);
    if (queue.age(nowNs)) {
      changed();
    }
    int count = count(nowNs, costs);
    if (hasDone(count)) {
      removeDone(rejected);
      count = count(nowNs, costs);
    }
    if (count == 0) {
      return null;
    }
    limit = limit(count);
    return cut(batchId, count, nowNs);
  }

  private Limit limit(int count) {
    if (!combines) {
      return Limit.NO_BATCHING;
    }
    if (count < longestCount) {
      return Limit.PREFERRED_SIZE;
    }
    if (longestIsFull) {
      return Limit.MAX_BATCH_SIZE;
    }
    return hasNext ? Limit.NEXT_REQUEST : Limit.QUEUE;
  }

  @Override
  public long latestStartNs(long nowNs, BatchCosts costs) {
    if (!planned) {
      plan();
    }
    return deadlineNs == Lane.NEVER ? NEVER : Lane.after(deadlineNs, -costs.boundNs(longestItems));
  }

  @Override
  public long untilReadyNs(long nowNs, BatchCosts costs) {
    if (queue.requests() == 0 || delayNs == 0 || count(nowNs, costs) > 0) {
      return NEVER;
    }
    long untilNs = Math.max(0, oldestNs + delayNs - nowNs);
    long latestNs = latestStartNs(nowNs, costs);
    return latestNs == NEVER ? untilNs : Math.min(untilNs, Math.max(0, latestNs - nowNs));
  }

  @Override
  public long untilExpiryNs(long nowNs) {
    return queue.untilExpiryNs(nowNs);
  }

  @Override
  public void setPlaces(int parallelism, long leastCostNs, long leastEverNs) {
    // What is waited for are requests, wherever they will run.
  }

  @Override
  void changed() {
    planned = false;
  }

  private int count(long nowNs, BatchCosts costs) {
    if (!planned) {
      plan();
    }
    if (delayNs == 0 || longestCount == 0 || readyCount == longestCount) {
      return readyCount;
    }
    boolean overdue = nowNs - oldestNs >= delayNs;
    if (!overdue && deadlineNs != Lane.NEVER) {
      overdue = nowNs - (deadlineNs - costs.boundNs(longestItems)) >= 0;
    }
    return overdue ? longestCount : readyCount;
  }

  /** Walks the longest prefix that could be a batch and finds out which part of it may run. */
  private void plan() {
    planned = true;
    int count = 0;
    int items = 0;
    int preferredCount = 0;
    int withinCount = 0;
    int nextPreferred = 0;
    int largest = preferred[preferred.length - 1];
    InferenceRequest first = null;
    boolean closed = false;
    queue.rewind();
    InferenceRequest request;
    while (!closed && (request = queue.next()) != null) {
      if (first == null) {
        first = request;
        oldestNs = queue.cursorEnqueuedNs();
        deadlineNs = Lane.NEVER;
      } else if (!fits(first, request, items)) {
        closed = true;
        break;
      }
      count++;
      items += request.batchSize();
      oldestNs = Lane.earlier(oldestNs, queue.cursorEnqueuedNs());
      deadlineNs = Lane.earlier(deadlineNs, queue.cursorDeadlineNs());
      while (nextPreferred < preferred.length && preferred[nextPreferred] < items) {
        nextPreferred++;
      }
      if (nextPreferred < preferred.length && preferred[nextPreferred] == items) {
        preferredCount = count;
      }
      if (items <= largest) {
        withinCount = count;
      }
      closed = !combines || items >= maxItems;
    }
    longestCount = count;
    longestItems = items;
    longestIsFull = items >= maxItems;
    hasNext = count < queue.requests();
    if (preferredCount > 0) {
      readyCount = preferredCount;
    } else if (items > largest) {
      readyCount = Math.max(1, withinCount);
    } else {
      readyCount = closed || delayNs == 0 ? count : 0;
    }
  }

  private static Duration min(Duration a, Duration b) {
    return a.compareTo(b) <= 0 ? a : b;
  }
}
