package dev.conveyor.scheduler.batching;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.config.DynamicBatching;
import dev.conveyor.scheduler.Batch;
import dev.conveyor.scheduler.InferenceRequest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The queue of one model and the rule that cuts batches from it.
 *
 * <p>Not thread-safe: owned by the scheduler. Reads no clock; whoever asks passes the time.
 *
 * <p>The rule is Triton's, evaluated when an instance could run a batch, never earlier. A batch is
 * a prefix of the queue whose shape keys are equal and whose batch sizes add up to at most {@code
 * max_batch_size}. Of the prefixes:
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
 * if the model has no batch dimension, every request is its own batch and nothing waits.
 *
 * <p>The outcome of the walk is kept until the queue changes, so that asking is cheap.
 */
public final class DynamicBatcher {

  /** What {@link #untilNextEventNs} returns if only a request can change anything. */
  public static final long NEVER = Long.MAX_VALUE;

  private static final Duration LONGEST_DELAY = Duration.ofDays(36_500);

  private final String model;
  private final int maxItems;
  private final boolean combines;
  private final int[] preferred;
  private final long delayNs;
  private final RequestQueue queue;

  private boolean planned;
  private int longestCount;
  private int readyCount;
  private long oldestNs;

  /**
   * Creates an empty batcher.
   *
   * @param model what messages call it
   * @param maxBatchSize 0 for a model without a batch dimension
   * @param defaultMaxQueueSize bound of a queue whose policy names none; 0 for no bound
   */
  public DynamicBatcher(
      String model,
      int maxBatchSize,
      Optional<DynamicBatching> dynamicBatching,
      int defaultMaxQueueSize) {
    DynamicBatching batching = dynamicBatching.orElse(DynamicBatching.DEFAULT);
    this.model = model;
    this.maxItems = Math.max(1, maxBatchSize);
    this.combines = dynamicBatching.isPresent() && maxBatchSize > 1;
    this.preferred =
        combines && !batching.preferredBatchSizes().isEmpty()
            ? batching.preferredBatchSizes().stream().mapToInt(Integer::intValue).toArray()
            : new int[] {maxItems};
    this.delayNs = combines ? min(batching.maxQueueDelay(), LONGEST_DELAY).toNanos() : 0;
    this.queue = new RequestQueue(model, batching, defaultMaxQueueSize);
  }

  /** Returns the queue, to look at. */
  public RequestQueue queue() {
    return queue;
  }

  /** Queues a request; returns null if it was taken, otherwise why not. */
  public @Nullable InferenceException offer(InferenceRequest request, long nowNs) {
    if (request.batchSize() < 1 || request.batchSize() > maxItems) {
      return new InferenceException(
          ErrorCode.INVALID_REQUEST,
          "inference request batch-size must be 1 to "
              + maxItems
              + " for '"
              + model
              + "', was "
              + request.batchSize());
    }
    planned = false;
    return queue.offer(request, nowNs);
  }

  /** Takes out requests whose time is over. Cheap when there can be none. */
  public void expire(long nowNs, List<Rejection> rejected) {
    if (queue.expire(nowNs, rejected)) {
      planned = false;
    }
  }

  /** Takes out requests that were answered while they waited: cancelled, mostly. */
  public void removeDone(List<Rejection> rejected) {
    if (queue.removeDone(rejected)) {
      planned = false;
    }
  }

  /** Takes out requests without a deadline that came before {@code sinceNs}. */
  public void shed(long sinceNs, InferenceException failure, List<Rejection> rejected) {
    if (queue.shed(sinceNs, failure, rejected)) {
      planned = false;
    }
  }

  /** Takes out everything. */
  public void rejectAll(InferenceException failure, List<Rejection> rejected) {
    queue.rejectAll(failure, rejected);
    planned = false;
  }

  /** Moves everything, in the order in which it would run, to a list. */
  public List<InferenceRequest> removeAll() {
    planned = false;
    List<InferenceRequest> all = new ArrayList<>(queue.requests());
    queue.removeFirst(queue.requests(), all);
    return all;
  }

  /**
   * Returns true if there is a batch to run now. {@link #take} may still find none, if requests
   * were answered or expired meanwhile.
   */
  public boolean isReady(long nowNs) {
    return count(nowNs) > 0;
  }

  /**
   * Cuts the next batch. No request in it is expired or answered already; such requests are moved
   * to {@code rejected}.
   *
   * @return null if there is none to run now
   */
  public @Nullable Batch take(long batchId, long nowNs, List<Rejection> rejected) {
    expire(nowNs, rejected);
    int count = count(nowNs);
    if (hasDone(count)) {
      removeDone(rejected);
      count = count(nowNs);
    }
    if (count == 0) {
      return null;
    }
    planned = false;
    List<InferenceRequest> requests = new ArrayList<>(count);
    int before = queue.items();
    queue.removeFirst(count, requests);
    return new Batch(batchId, requests, before - queue.items(), nowNs);
  }

  /**
   * Returns how long until time alone makes a batch ready or a request expire, {@link #NEVER} if it
   * does not. May be too short.
   */
  public long untilNextEventNs(long nowNs) {
    long untilNs = queue.untilExpiryNs(nowNs);
    if (queue.requests() > 0 && delayNs > 0 && count(nowNs) == 0) {
      untilNs = Math.min(untilNs, Math.max(0, oldestNs + delayNs - nowNs));
    }
    return untilNs;
  }

  /** Returns how long until a request may expire, {@link #NEVER} if none does. */
  public long untilExpiryNs(long nowNs) {
    return queue.untilExpiryNs(nowNs);
  }

  private int count(long nowNs) {
    if (!planned) {
      plan();
    }
    boolean overdue = delayNs > 0 && longestCount > 0 && nowNs - oldestNs >= delayNs;
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
      } else if (!fits(first, request, items)) {
        closed = true;
        break;
      }
      count++;
      items += request.batchSize();
      oldestNs = older(oldestNs, queue.cursorEnqueuedNs());
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
    if (preferredCount > 0) {
      readyCount = preferredCount;
    } else if (items > largest) {
      readyCount = Math.max(1, withinCount);
    } else {
      readyCount = closed || delayNs == 0 ? count : 0;
    }
  }

  private boolean fits(InferenceRequest first, InferenceRequest next, int items) {
    return next.batchSize() <= maxItems - items
        && Objects.equals(first.shapeKey(), next.shapeKey());
  }

  private boolean hasDone(int count) {
    queue.rewind();
    for (int i = 0; i < count; i++) {
      if (Objects.requireNonNull(queue.next()).replyTo().isDone()) {
        return true;
      }
    }
    return false;
  }

  private static Duration min(Duration a, Duration b) {
    return a.compareTo(b) <= 0 ? a : b;
  }

  private static long older(long aNs, long bNs) {
    return aNs - bNs <= 0 ? aNs : bNs;
  }
}
