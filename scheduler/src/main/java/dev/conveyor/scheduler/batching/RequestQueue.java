package dev.conveyor.scheduler.batching;

import dev.conveyor.models.InferenceException;
import dev.conveyor.models.config.DynamicBatching;
import dev.conveyor.models.config.QueuePolicy;
import dev.conveyor.models.config.QueuePolicy.TimeoutAction;
import dev.conveyor.models.config.ServiceLevel;
import dev.conveyor.scheduler.InferenceRequest;
import java.util.Arrays;
import java.util.List;
import java.util.function.ObjIntConsumer;
import org.jspecify.annotations.Nullable;

/**
 * Requests that wait for one model, in the order in which they are to run: by priority level, then
 * by arrival or, if the model has a latency objective, by deadline; within a level, requests that
 * timed out under {@link TimeoutAction#DELAY} come last.
 *
 * <p>Not thread-safe: owned by its {@link Batcher}. Reads no clock.
 *
 * <p>Where requests are in order of arrival, those that have waited for long go up ({@link
 * Ageing}); they keep their own level's bound, timeout and timeout action. With an objective no
 * request waits longer than that.
 *
 * <p>One lane per level, and one more per level that delays. The usual model has no levels and no
 * delays, hence one lane, and walking the queue is walking an array. A model that has an objective
 * and preserves ordering has one lane in order of arrival, whatever else it asks for. Without an
 * objective it is served like any other: what it preserves is the order in which requests leave.
 */
public final class RequestQueue {

  private final Lane[] lanes;
  private final int[] laneOfLevel;
  private final RequestDeadlines deadlines;
  private final long objectiveNs;
  private final Ageing ageing;
  private final FairPlaces places;
  private final QueueCounts counts;
  private long expired;
  private long cancelled;
  private boolean onlyLonger;
  private int cursorLane;
  private int cursorIndex;

  /**
   * Creates an empty queue.
   *
   * @param model what messages call it
   * @param defaultMaxQueueSize bound of a level whose policy names none; 0 for no bound
   */
  public RequestQueue(
      String model, DynamicBatching batching, ServiceLevel serviceLevel, int defaultMaxQueueSize) {
    this.objectiveNs = serviceLevel.latencyObjective().toNanos();
    this.deadlines = new RequestDeadlines(model, objectiveNs);
    boolean byArrival = objectiveNs > 0 && batching.preserveOrdering();
    int levels = byArrival ? 1 : Math.max(1, batching.priorityLevels());
    this.laneOfLevel = new int[levels + 1];
    this.counts = new QueueCounts(levels, levels == 1 ? 1 : batching.defaultPriorityLevel());
    boolean byDeadline = objectiveNs > 0 && !byArrival;
    Lane[] created = new Lane[2 * levels];
    int n = 0;
    for (int level = 1; level <= levels; level++) {
      QueuePolicy policy = batching.policy(level);
      int maxSize = policy.maxQueueSize() > 0 ? policy.maxQueueSize() : defaultMaxQueueSize;
      boolean delays = policy.timeoutAction() == TimeoutAction.DELAY && !byArrival;
      laneOfLevel[level] = n;
      created[n++] = new Lane(policy, maxSize, delays, byDeadline);
      if (delays) {
        created[n++] = new Lane(QueuePolicy.DEFAULT, maxSize, false, byDeadline);
      }
    }
    this.lanes = Arrays.copyOf(created, n);
    this.ageing = new Ageing(lanes, laneOfLevel, counts, serviceLevel.ageing().toNanos());
    this.places = new FairPlaces(lanes, laneOfLevel, counts);
  }

  public int requests() {
    return counts.requests();
  }

  /**
   * Returns true if the last request that was taken went behind others and will not be the first to
   * time out: the queue is longer, and nothing else about it has changed.
   */
  boolean isOnlyLonger() {
    return onlyLonger;
  }

  /** Returns the sum of the batch sizes. */
  public int items() {
    return counts.items();
  }

  /** Returns what waits by priority level, to look at. */
  public QueueCounts counts() {
    return counts;
  }

  /** Returns the sum of the sizes of their inputs. */
  public long bytes() {
    return counts.bytes();
  }

  /** Returns true if no request would be taken, whatever its priority. */
  public boolean isFull() {
    for (int level = 1; level < laneOfLevel.length; level++) {
      if (!isFull(level)) {
        return false;
      }
    }
    return true;
  }

  /** Returns true if no request of a priority level would be taken. */
  public boolean isFull(int level) {
    int maxSize = lanes[laneOfLevel[level]].maxSize();
    return maxSize > 0 && counts.requests(level) >= maxSize;
  }

  /** Returns how many were failed because their time was over. */
  public long expired() {
    return expired;
  }

  /** Returns how many were found answered, by cancellation mostly, before they ran. */
  public long cancelled() {
    return cancelled;
  }

  /** Queues a request, always if it was queued before; returns null if it was taken, or why not. */
  public @Nullable InferenceException offer(InferenceRequest request, long nowNs) {
    long deadlineNs = deadlineNs(request);
    if (Lane.isPast(deadlineNs, nowNs)) {
      expired++;
      return deadlines.passed(request, nowNs);
    }
    int level = counts.level(request);
    Lane lane = lanes[laneOfLevel[level]];
    if (isFull(level) && !request.isRepeated()) {
      return deadlines.queueFull(lane.maxSize());
    }
    long dueBeforeNs = lane.earliestDueNs();
    lane.add(request, nowNs, deadlineNs);
    onlyLonger =
        lanes.length == 1 && lane.request(0) != request && lane.earliestDueNs() == dueBeforeNs;
    counts.add(request);
    return null;
  }

  /**
   * Returns when a request must be answered, or {@link InferenceRequest#NO_DEADLINE}: {@link
   * RequestDeadlines#of}.
   */
  public long deadlineNs(InferenceRequest request) {
    return deadlines.of(request);
  }

  /** Puts the cursor before the first request. */
  void rewind() {
    cursorLane = 0;
    cursorIndex = -1;
  }

  /** Moves the cursor on; returns null at the end. */
  @Nullable InferenceRequest next() {
    cursorIndex++;
    while (cursorIndex >= lanes[cursorLane].size()) {
      if (cursorLane == lanes.length - 1) {
        return null;
      }
      cursorLane++;
      cursorIndex = 0;
    }
    return lanes[cursorLane].request(cursorIndex);
  }

  /** Returns when the request at the cursor came. */
  long cursorEnqueuedNs() {
    return lanes[cursorLane].enqueuedNs(cursorIndex);
  }

  /** Returns when the request at the cursor must be answered, or {@link Lane#NEVER}. */
  long cursorDeadlineNs() {
    return lanes[cursorLane].deadlineNs(cursorIndex);
  }

  /** Returns a number that is equal for requests of one lane. */
  int cursorLane() {
    return cursorLane;
  }

  /** Moves the first {@code count} requests to {@code into}. */
  void removeFirst(int count, List<InferenceRequest> into) {
    int left = count;
    for (Lane lane : lanes) {
      while (left > 0 && lane.size() > 0) {
        InferenceRequest request = lane.removeFirst();
        forget(request);
        into.add(request);
        left--;
      }
    }
  }

  /** Takes out what has waited too long. Returns true if the queue changed. */
  boolean expire(long nowNs, List<Rejection> rejected) {
    boolean changed = false;
    for (Lane lane : lanes) {
      changed |= lane.mayBeDue(nowNs) && lane.removeIf(i -> expireIfDue(lane, i, nowNs, rejected));
    }
    return changed;
  }

  private boolean expireIfDue(Lane lane, int i, long nowNs, List<Rejection> rejected) {
    if (!lane.isDue(i, nowNs)) {
      return false;
    }
    InferenceRequest request = lane.request(i);
    long deadlineNs = lane.deadlineNs(i);
    boolean late = Lane.isPast(deadlineNs, nowNs);
    int ownLane = laneOfLevel[counts.level(request)];
    if (!late && lanes[ownLane].delays()) {
      if (lane != lanes[ownLane]) {
        ageing.comesBack(request);
      }
      lanes[ownLane + 1].add(request, lane.enqueuedNs(i), deadlineNs, deadlineNs);
    } else {
      fail(
          request, late ? deadlines.passed(request, nowNs) : RequestDeadlines.timedOut(), rejected);
    }
    return true;
  }

  /**
   * Takes the first request out: it cannot be answered in time.
   *
   * @param byNs when it could be answered at the earliest
   */
  void dropFirst(long byNs, List<Rejection> rejected) {
    for (Lane lane : lanes) {
      if (lane.size() > 0) {
        failLate(lane.removeFirst(), byNs, rejected);
        return;
      }
    }
  }

  /** Takes out what must be answered before {@code byNs}; every level is in order of deadlines. */
  void dropLate(long byNs, Batcher counting, List<Rejection> rejected) {
    for (Lane lane : lanes) {
      while (lane.size() > 0 && lane.deadlineNs(0) != Lane.NEVER && lane.deadlineNs(0) - byNs < 0) {
        counting.countDropped(1, byNs - lane.deadlineNs(0));
        failLate(lane.removeFirst(), byNs, rejected);
      }
    }
  }

  private void failLate(InferenceRequest request, long byNs, List<Rejection> rejected) {
    fail(request, deadlines.missed(request, byNs), rejected);
  }

  private void fail(InferenceRequest request, InferenceException why, List<Rejection> rejected) {
    if (request.replyTo().isDone()) {
      cancelled++;
    } else {
      expired++;
    }
    drop(request, why, rejected);
  }

  /** Lets requests that have waited for long go up. Returns true if the queue changed. */
  boolean age(long nowNs) {
    return objectiveNs == 0 && ageing.run(nowNs);
  }

  /**
   * Tells somebody of each request that changes levels, and to which, before it is queued there.
   */
  public void tellOfAgeing(ObjIntConsumer<InferenceRequest> listener) {
    ageing.tell(listener);
  }

  /**
   * Makes room at the level of a request where tenants share the model: takes out the last ones in
   * their fair order, if this request goes before them. With an objective requests are in order of
   * deadlines, and the shares divide the losses elsewhere.
   *
   * @param bytes that must become free, besides a place if its level has none
   * @return empty if that would not make room; then nothing was taken out
   */
  List<InferenceRequest> displaceFor(InferenceRequest request, long bytes) {
    return objectiveNs > 0 ? List.of() : places.displaceFor(request, bytes);
  }

  /** Returns what goes before a request, at least, that has this place in the fair order. */
  public Ahead ahead(int level, long fairTagNs) {
    return places.ahead(level, fairTagNs);
  }

  /** Shows everything that waits, in the order of each level, and the level at which it does. */
  public void forEach(ObjIntConsumer<InferenceRequest> visitor) {
    places.forEach(visitor);
  }

  /** Takes out requests that were answered while they waited. Returns true if there were any. */
  boolean removeDone(List<Rejection> rejected) {
    int left =
        takeOut(
            (lane, i) -> lane.request(i).replyTo().isDone(),
            RequestDeadlines.cancelled(),
            rejected);
    cancelled += left;
    return left > 0;
  }

  /**
   * Takes out requests without a deadline that came before {@code sinceNs}. Returns true if there
   * were any.
   */
  boolean shed(long sinceNs, InferenceException failure, List<Rejection> rejected) {
    return takeOut(
            (lane, i) -> lane.enqueuedNs(i) - sinceNs < 0 && lane.deadlineNs(i) == Lane.NEVER,
            failure,
            rejected)
        > 0;
  }

  private interface Leaves {
    boolean test(Lane lane, int i);
  }

  private int takeOut(Leaves leaves, InferenceException why, List<Rejection> rejected) {
    int before = counts.requests();
    for (Lane lane : lanes) {
      lane.removeIf(
          i -> {
            boolean out = leaves.test(lane, i);
            if (out) {
              drop(lane.request(i), why, rejected);
            }
            return out;
          });
    }
    return before - counts.requests();
  }

  /** Empties the queue, in order. */
  void rejectAll(InferenceException failure, List<Rejection> rejected) {
    for (Lane lane : lanes) {
      while (lane.size() > 0) {
        drop(lane.removeFirst(), failure, rejected);
      }
    }
  }

  /** Returns how long until a request may stop waiting, or {@link Lane#NEVER}; may be too short. */
  long untilExpiryNs(long nowNs) {
    long untilNs = Lane.NEVER;
    for (Lane lane : lanes) {
      if (lane.earliestDueNs() != Lane.NEVER) {
        untilNs = Math.min(untilNs, Math.max(0, lane.earliestDueNs() - nowNs));
      }
    }
    return untilNs;
  }

  /** Returns how long until the most urgent request of any level must be answered. */
  long untilDeadlineNs(long nowNs) {
    long untilNs = Lane.NEVER;
    for (Lane lane : lanes) {
      if (lane.size() > 0 && lane.deadlineNs(0) != Lane.NEVER) {
        untilNs = Math.min(untilNs, lane.deadlineNs(0) - nowNs);
      }
    }
    return untilNs;
  }

  private void drop(InferenceRequest request, InferenceException why, List<Rejection> rejected) {
    forget(request);
    rejected.add(new Rejection(request, why));
  }

  private void forget(InferenceRequest request) {
    counts.remove(request);
  }
}
