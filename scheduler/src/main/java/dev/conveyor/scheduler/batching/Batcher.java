package dev.conveyor.scheduler.batching;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.scheduler.Batch;
import dev.conveyor.scheduler.InferenceRequest;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The queue of one model and the rule that cuts batches from it.
 *
 * <p>Not thread-safe: owned by the scheduler. Reads no clock; whoever asks passes the time. A batch
 * is a prefix of the queue whose shape keys are equal and whose batch sizes add up to at most
 * {@code max_batch_size}; which one is the rule's choice, taken when an instance could run it,
 * never earlier.
 */
public abstract sealed class Batcher permits DynamicBatcher, DeadlineBatcher {

  /** What {@link #turnNs} returns if there is no batch to run now. */
  public static final long NOT_READY = Long.MIN_VALUE;

  /** What {@link #untilReadyNs} and others return if only an event can change anything. */
  public static final long NEVER = Long.MAX_VALUE;

  /**
   * What {@link #droppedNs} returns if it was not a prediction that the requests were given up for.
   */
  public static final long TIMED_OUT = 0;

  final RequestQueue queue;
  final int maxItems;
  final boolean combines;
  private final String model;

  Limit limit = Limit.QUEUE;
  long limitNs;
  private int dropped;
  private long droppedNs;

  Batcher(String model, int maxBatchSize, boolean combines, RequestQueue queue) {
    this.model = model;
    this.maxItems = Math.max(1, maxBatchSize);
    this.combines = combines && maxBatchSize > 1;
    this.queue = queue;
  }

  /** Returns the queue, to look at. */
  public final RequestQueue queue() {
    return queue;
  }

  /** Queues a request; returns null if it was taken, otherwise why not. */
  public final @Nullable InferenceException offer(InferenceRequest request, long nowNs) {
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
    changed();
    return queue.offer(request, nowNs);
  }

  /**
   * Makes room in a queue that is full for a request whose tenant has a claim to it.
   *
   * @param bytes that must become free, besides a place if there is none
   * @return the requests that were taken out, which the caller answers; empty if there is no claim
   */
  public final List<InferenceRequest> displaceFor(InferenceRequest request, long bytes) {
    changed();
    return queue.displaceFor(request, bytes);
  }

  /** Takes out requests whose time is over. Cheap when there can be none. */
  public abstract void expire(long nowNs, List<Rejection> rejected);

  /** Takes out requests that were answered while they waited: cancelled, mostly. */
  public final void removeDone(List<Rejection> rejected) {
    if (queue.removeDone(rejected)) {
      changed();
    }
  }

  /** Takes out requests without a deadline that came before {@code sinceNs}. */
  public final void shed(long sinceNs, InferenceException failure, List<Rejection> rejected) {
    if (queue.shed(sinceNs, failure, rejected)) {
      changed();
    }
  }

  /** Takes out everything. */
  public final void rejectAll(InferenceException failure, List<Rejection> rejected) {
    queue.rejectAll(failure, rejected);
    changed();
  }

  /** Moves everything, in the order in which it would run, to a list. */
  public final List<InferenceRequest> removeAll() {
    changed();
    List<InferenceRequest> all = new ArrayList<>(queue.requests());
    queue.removeFirst(queue.requests(), all);
    return all;
  }

  /**
   * Returns true if there is a batch to run now. {@link #take} may still find none, if requests
   * were answered or expired meanwhile.
   */
  public abstract boolean isReady(long nowNs, BatchCosts costs);

  /**
   * Cuts the next batch. No request in it is expired or answered already; such requests are moved
   * to {@code rejected}.
   *
   * @return null if there is none to run now
   */
  public abstract @Nullable Batch take(
      long batchId, long nowNs, BatchCosts costs, List<Rejection> rejected);

  /**
   * Returns when the next batch must start for its requests to make their deadlines, or {@link
   * #NEVER}. Valid while {@link #isReady}.
   */
  public abstract long latestStartNs(long nowNs, BatchCosts costs);

  /**
   * Returns {@link #latestStartNs} if there is a batch to run now, otherwise {@link #NOT_READY}:
   * both questions at the price of one.
   */
  public long turnNs(long nowNs, BatchCosts costs) {
    return isReady(nowNs, costs) ? latestStartNs(nowNs, costs) : NOT_READY;
  }

  /**
   * Returns true if the last request that was offered may have changed what the questions above are
   * answered. False saves a walk over all the places where the model runs, for most arrivals.
   */
  public boolean isNews() {
    return true;
  }

  /**
   * Returns true if all that the last request changes is when the next batch must start: where one
   * may run, one may still run, and where not, not.
   */
  public boolean isOnlyLonger() {
    return false;
  }

  /**
   * Returns how long until time alone makes a batch ready, {@link #NEVER} if it does not. May be
   * too short.
   */
  public abstract long untilReadyNs(long nowNs, BatchCosts costs);

  /** Returns how long until a request may expire, {@link #NEVER} if none does. */
  public abstract long untilExpiryNs(long nowNs);

  /**
   * Tells the rule about the places where the model runs.
   *
   * @param parallelism batches of the model that can run at once, 1 or more
   * @param leastCostNs time of its smallest batch where that is fastest; 0 if unknown
   * @param leastEverNs the same where nobody else wants what it runs on
   */
  public abstract void setPlaces(int parallelism, long leastCostNs, long leastEverNs);

  /**
   * Tells what a batch took. Returns true if such a batch would not have been run by its prediction
   * alone, and was in time.
   *
   * @param boundNs what it was to stay below
   */
  public boolean ran(long busyNs, long boundNs) {
    return false;
  }

  /**
   * Tells how many items the next batches may have for the sake of other models; a request of more
   * still runs, alone.
   */
  public void setMostItems(int items) {
    // Only models that have an objective can be overloaded.
  }

  /** Returns why the batch cut last is not larger. */
  public final Limit limit() {
    return limit;
  }

  /** Returns by how much the next larger batch would have missed a deadline. */
  public final long limitNs() {
    return limitNs;
  }

  /** Returns how many requests the rule gave up since {@link #clearDropped}. */
  public final int dropped() {
    return dropped;
  }

  /**
   * Returns by how much the first of them would have missed its deadline, or {@link #TIMED_OUT} if
   * that, or its queue timeout, had passed already.
   */
  public final long droppedNs() {
    return droppedNs;
  }

  /** Starts counting anew. */
  public final void clearDropped() {
    dropped = 0;
  }

  final void countDropped(int count, long missNs) {
    if (dropped == 0) {
      droppedNs = missNs;
    }
    dropped += count;
  }

  /** Forgets what was worked out about the queue. */
  abstract void changed();

  final Batch cut(long batchId, int count, long nowNs) {
    changed();
    List<InferenceRequest> requests = new ArrayList<>(count);
    int before = queue.items();
    queue.removeFirst(count, requests);
    return new Batch(batchId, requests, before - queue.items(), nowNs);
  }

  final boolean fits(InferenceRequest first, InferenceRequest next, int items) {
    return next.batchSize() <= maxItems - items
        && Objects.equals(first.shapeKey(), next.shapeKey());
  }

  final boolean hasDone(int count) {
    queue.rewind();
    for (int i = 0; i < count; i++) {
      if (Objects.requireNonNull(queue.next()).replyTo().isDone()) {
        return true;
      }
    }
    return false;
  }
}
