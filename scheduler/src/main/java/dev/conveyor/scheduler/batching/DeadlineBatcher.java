package dev.conveyor.scheduler.batching;

import dev.conveyor.scheduler.Batch;
import dev.conveyor.scheduler.InferenceRequest;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Cuts batches of a model with a latency objective: work-conserving earliest deadline first with
 * shrink or drop, built from ideas of Clockwork (predict, and do not start what cannot end in time)
 * and Nexus (drop heads rather than let them make batches small).
 *
 * <p>Not thread-safe: owned by the scheduler. The queue is in order of deadlines. With {@code l(b)}
 * the learned time of a batch of b items, {@code N} batches of the model running at once at most,
 * and n items queued up to the largest batch:
 *
 * <ol>
 *   <li>A request that would miss its deadline even in the smallest batch that starts now is
 *       dropped: it cannot be helped, and to run it would delay those that can.
 *   <li>{@code fit} is the largest batch that ends before the deadline of everything in it.
 *   <li>{@code want} is the largest batch that could be sustained: {@code (1 + 1/N) l(want) <=
 *       objective}, since in the steady state a request waits for the batch before its own; at most
 *       n.
 *   <li>If {@code fit >= want / 2}, run fit: shrink. Otherwise drop heads until a batch of want
 *       ends in time. Without that step a late head forces a small batch, small batches lower the
 *       throughput, and every later head is later still. But if what is behind the heads makes no
 *       batch of twice fit, there is no throughput to be won, and they run.
 * </ol>
 *
 * <p>Nothing ever waits for more requests: while an instance is free, whatever is there runs, and
 * batches grow by themselves when it is not.
 *
 * <p>{@code preferred_batch_size} and {@code max_queue_delay_microseconds} have no meaning here.
 * With {@code preserve_ordering} the queue keeps the order of arrival and the rule applies to its
 * prefixes as they are.
 *
 * <p>If the profile says that no batch at all can meet the objective, nothing would run and the
 * profile could never learn otherwise. So after a second without a batch one request runs
 * regardless, also at a place that seems too slow while others serve; and if that was in time, the
 * next at once, until the profile has learned that the model is faster again.
 */
public final class DeadlineBatcher extends Batcher {

  private static final long PROBE_NS = 1_000_000_000;

  /** Latest starts that differ by less than this part of the objective are the same. */
  private static final long SAME_START = 32;

  private final long objectiveNs;
  private final boolean byDeadline;
  private int parallelism = 1;
  private long leastCostNs;
  private long leastEverNs;
  private boolean hasRun;
  private long ranNs;

  /** The longest prefix: items up to and with a request, and the tightest deadline of those. */
  private int[] items = new int[16];

  private long[] deadlineNs = new long[16];
  private long[] tightestNs = new long[16];
  private int count;

  /** Heads that {@link #afterDrops} would drop. */
  private int drops;

  /** Of the prefix, what is in the lane of its first request. */
  private int laneCount;

  private boolean hasNext;

  private int mostItems = Integer.MAX_VALUE;

  /** The prefix is not longer because of {@link #mostItems}. */
  private boolean isHeldShort;

  /** So many items must be queued for the latest start to be worked out anew. */
  private int nextStep;

  /**
   * Creates an empty batcher.
   *
   * @param model what messages call it
   * @param maxBatchSize 0 for a model without a batch dimension
   * @param combines false: every request is its own batch
   * @param objectiveNs from the arrival of a request to its answer
   * @param byDeadline whether the queue is in order of deadlines
   * @param queue holds its requests
   */
  public DeadlineBatcher(
      String model,
      int maxBatchSize,
      boolean combines,
      long objectiveNs,
      boolean byDeadline,
      RequestQueue queue) {
    super(model, maxBatchSize, combines, queue);
    this.objectiveNs = objectiveNs;
    this.byDeadline = byDeadline;
  }

  @Override
  public void setPlaces(int parallelism, long leastCostNs, long leastEverNs) {
    this.parallelism = parallelism;
    this.leastCostNs = leastCostNs;
    this.leastEverNs = leastEverNs;
  }

  @Override
  public void setMostItems(int items) {
    mostItems = items;
  }

  @Override
  public boolean ran(long busyNs, long boundNs) {
    boolean tooPessimistic = boundNs > objectiveNs && busyNs <= objectiveNs;
    hasRun &= !tooPessimistic;
    return tooPessimistic;
  }

  @Override
  public void expire(long nowNs, List<Rejection> rejected) {
    int before = rejected.size();
    if (queue.expire(nowNs, rejected) && rejected.size() > before) {
      countDropped(rejected.size() - before, leastEverNs);
    }
    if (byDeadline && leastEverNs > 0 && !isProbing(nowNs)) {
      queue.dropLate(nowNs + leastEverNs, this, rejected);
    }
  }

  @Override
  public boolean isReady(long nowNs, BatchCosts costs) {
    queue.rewind();
    InferenceRequest head = queue.next();
    if (head == null) {
      return false;
    }
    // What is late at a slow place may make it at a faster one.
    return isInTime(nowNs, queue.cursorDeadlineNs(), costs.boundNs(head.batchSize()))
        || !byDeadline
        || isProbing(nowNs, costs)
        || costs.boundNs(1) <= leastCostNs;
  }

  @Override
  public @Nullable Batch take(
      long batchId, long nowNs, BatchCosts costs, List<Rejection> rejected) {
    expire(nowNs, rejected);
    walk();
    boolean dropped = false;
    while (count > 0) {
      int taken = choose(dropped, nowNs, costs);
      if (taken > 0) {
        if (hasDone(taken)) {
          removeDone(rejected);
        } else {
          hasRun = true;
          ranNs = nowNs;
          return cut(batchId, taken, nowNs);
        }
      } else {
        drop(nowNs, costs, rejected);
        dropped = true;
      }
      walk();
    }
    return null;
  }

  /**
   * Returns how many requests to run, 0 if heads must be dropped first.
   *
   * @param dropped whether some were: then nothing less than the wanted size will do. A queue that
   *     is longer than the largest batch is dropped in steps, and to shrink between two of them
   *     would bring back the small batches that dropping is to prevent
   */
  private int choose(boolean dropped, long nowNs, BatchCosts costs) {
    int all = items[count - 1];
    long allNs = all < queue.items() ? costs.boundNs(all) : costs.lastNs(all);
    if (isInTime(nowNs, tightestNs[count - 1], allNs)) {
      limit = !combines ? Limit.NO_BATCHING : hasNext ? Limit.NEXT_REQUEST : Limit.QUEUE;
      limit = combines && items[count - 1] >= maxItems ? Limit.MAX_BATCH_SIZE : limit;
      limit = isHeldShort ? Limit.OTHERS : limit;
      return count;
    }
    int fit = fit(nowNs, costs);
    long shrinks = fit == 0 ? 0 : (dropped ? 1L : 2L) * items[fit - 1];
    if (fit > 0 && shrinks >= Math.min(want(costs), afterDrops(nowNs, costs))) {
      limit = Limit.DEADLINE;
      limitNs = nowNs + costs.boundNs(items[fit]) - tightestNs[fit];
      return fit;
    }
    if (isProbing(nowNs, costs)) {
      limit = Limit.PROBE;
      return 1;
    }
    return 0;
  }

  /** Returns the requests of the longest prefix that ends in time. */
  private int fit(long nowNs, BatchCosts costs) {
    int low = 0;
    int high = count - 1;
    while (low < high) {
      int middle = (low + high + 1) >>> 1;
      if (isInTime(nowNs, tightestNs[middle - 1], costs.boundNs(items[middle - 1]))) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return low;
  }

  /** Returns the items of the largest batch that the queue has and that could be sustained. */
  private int want(BatchCosts costs) {
    int queued = items[laneCount - 1];
    long longestNs = objectiveNs / (parallelism + 1) * parallelism;
    if (costs.boundNs(queued) <= longestNs) {
      return queued;
    }
    int low = 1;
    int high = queued;
    while (low < high) {
      int middle = (low + high + 1) >>> 1;
      if (costs.boundNs(middle) <= longestNs) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return low;
  }

  /**
   * Works out how many heads to drop, one at least, until a batch of the wanted size ends in time.
   * Returns the items that could run then.
   */
  private int afterDrops(long nowNs, BatchCosts costs) {
    int want = want(costs);
    long left = queue.items();
    drops = 0;
    while (drops < laneCount) {
      left -= items[drops] - (drops == 0 ? 0 : items[drops - 1]);
      drops++;
      int next = (int) Math.min(want, left);
      if (drops == laneCount
          || isInTime(nowNs, deadlineNs[drops], costs.boundNs(next))
          || (left <= maxItems && isInTime(nowNs, deadlineNs[drops], costs.lastNs((int) left)))) {
        return next;
      }
    }
    return 0;
  }

  private void drop(long nowNs, BatchCosts costs, List<Rejection> rejected) {
    int next = afterDrops(nowNs, costs);
    long byNs = nowNs + costs.boundNs(Math.max(1, next));
    countDropped(drops, byNs - deadlineNs[0]);
    for (int i = 0; i < drops; i++) {
      queue.dropFirst(byNs, rejected);
    }
  }

  private void walk() {
    count = 0;
    laneCount = 0;
    hasNext = false;
    isHeldShort = false;
    int sum = 0;
    int lane = 0;
    long tightest = Lane.NEVER;
    InferenceRequest first = null;
    queue.rewind();
    InferenceRequest request = queue.next();
    while (request != null) {
      if (first == null) {
        first = request;
        lane = queue.cursorLane();
      } else if (!combines || !fits(first, request, sum)) {
        hasNext = true;
        return;
      } else if (request.batchSize() > mostItems - sum) {
        isHeldShort = true;
        return;
      }
      if (count == items.length) {
        items = Arrays.copyOf(items, 2 * count);
        deadlineNs = Arrays.copyOf(deadlineNs, 2 * count);
        tightestNs = Arrays.copyOf(tightestNs, 2 * count);
      }
      sum += request.batchSize();
      tightest = Lane.earlier(tightest, queue.cursorDeadlineNs());
      items[count] = sum;
      deadlineNs[count] = queue.cursorDeadlineNs();
      tightestNs[count] = tightest;
      count++;
      laneCount += queue.cursorLane() == lane ? 1 : 0;
      if (sum >= maxItems) {
        return;
      }
      request = queue.next();
    }
  }

  @Override
  public long turnNs(long nowNs, BatchCosts costs) {
    queue.rewind();
    if (queue.next() == null) {
      return NOT_READY;
    }
    long deadlineNs = queue.cursorDeadlineNs();
    long wholeNs = wholeNs(costs);
    long slackNs = deadlineNs - nowNs - wholeNs;
    // If all that waits ends in time, so does the head.
    return deadlineNs != Lane.NEVER && slackNs >= 0 ? nowNs + slackNs : super.turnNs(nowNs, costs);
  }

  /**
   * A request behind the head makes the next batch longer, so that it must start earlier. That is
   * worked out anew for each of the first few, and then whenever a quarter more has come, or twice
   * as much where that hardly makes the batch longer: among models a latest start that is a little
   * out changes nothing that can be measured.
   */
  @Override
  public boolean isNews() {
    return !queue.isOnlyLonger() || queue.items() >= nextStep;
  }

  @Override
  public boolean isOnlyLonger() {
    return queue.isOnlyLonger();
  }

  private long wholeNs(BatchCosts costs) {
    int items = Math.min(queue.items(), maxItems);
    long wholeNs = costs.boundNs(items);
    if (items >= maxItems) {
      nextStep = Integer.MAX_VALUE;
    } else {
      int twice = 2 * items + 2;
      boolean same = costs.boundNs(Math.min(twice, maxItems)) - wholeNs <= objectiveNs / SAME_START;
      nextStep = same ? twice : items + 1 + items / 4;
    }
    return wholeNs;
  }

  @Override
  public long latestStartNs(long nowNs, BatchCosts costs) {
    queue.rewind();
    if (queue.next() == null || queue.cursorDeadlineNs() == Lane.NEVER) {
      return NEVER;
    }
    long wholeNs = wholeNs(costs);
    long slackNs = queue.cursorDeadlineNs() - nowNs - wholeNs;
    // If the whole does not end in time, what does must start now.
    return nowNs + Math.max(0, slackNs);
  }

  @Override
  public long untilReadyNs(long nowNs, BatchCosts costs) {
    return queue.requests() == 0 || !hasRun ? NEVER : Math.max(0, ranNs + PROBE_NS - nowNs);
  }

  @Override
  public long untilExpiryNs(long nowNs) {
    long untilNs = queue.untilExpiryNs(nowNs);
    if (leastEverNs > 0 && byDeadline) {
      long untilLateNs = queue.untilDeadlineNs(nowNs);
      // What is late already is kept for a probe, until its deadline.
      if (untilLateNs != Lane.NEVER && untilLateNs >= leastEverNs) {
        untilNs = Math.min(untilNs, untilLateNs - leastEverNs + 1);
      }
    }
    return untilNs;
  }

  @Override
  void changed() {
    // Nothing is kept.
  }

  /** Also a place that seems too slow for every request is tried, though others serve. */
  private boolean isProbing(long nowNs, BatchCosts costs) {
    return isProbing(nowNs) || (costs.boundNs(1) > objectiveNs && costs.isStale(nowNs));
  }

  private boolean isProbing(long nowNs) {
    return !hasRun || nowNs - ranNs >= PROBE_NS;
  }

  private static boolean isInTime(long nowNs, long deadlineNs, long costNs) {
    return deadlineNs == Lane.NEVER || deadlineNs - nowNs >= costNs;
  }
}
