package dev.conveyor.scheduler.batching;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.RefusalReason;
import dev.conveyor.models.config.DynamicBatching;
import dev.conveyor.models.config.QueuePolicy;
import dev.conveyor.models.config.QueuePolicy.TimeoutAction;
import dev.conveyor.scheduler.InferenceRequest;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Requests that wait for one model, in the order in which they are to run: by priority level, then
 * by arrival; within a level, requests that timed out under {@link TimeoutAction#DELAY} come last.
 *
 * <p>Not thread-safe: owned by its {@link DynamicBatcher}. Reads no clock.
 *
 * <p>One lane per level, and one more per level that delays. The usual model has no levels and no
 * delays, hence one lane, and walking the queue is walking an array. A model that preserves
 * ordering has one lane whatever else it asks for: levels and delays reorder.
 */
public final class RequestQueue {

  private final Lane[] lanes;
  private final int[] laneOfLevel;
  private final int defaultLevel;
  private final String model;
  private int requests;
  private int items;
  private long bytes;
  private long expired;
  private long cancelled;
  private int cursorLane;
  private int cursorIndex;

  /**
   * Creates an empty queue.
   *
   * @param model what messages call it
   * @param defaultMaxQueueSize bound of a level whose policy names none; 0 for no bound
   */
  public RequestQueue(String model, DynamicBatching batching, int defaultMaxQueueSize) {
    this.model = model;
    int levels = batching.preserveOrdering() ? 1 : Math.max(1, batching.priorityLevels());
    this.defaultLevel = levels == 1 ? 1 : batching.defaultPriorityLevel();
    this.laneOfLevel = new int[levels + 1];
    Lane[] created = new Lane[2 * levels];
    int n = 0;
    for (int level = 1; level <= levels; level++) {
      QueuePolicy policy = batching.policy(level);
      int maxSize = policy.maxQueueSize() > 0 ? policy.maxQueueSize() : defaultMaxQueueSize;
      boolean delays =
          policy.timeoutAction() == TimeoutAction.DELAY && !batching.preserveOrdering();
      laneOfLevel[level] = n;
      created[n++] = new Lane(policy, maxSize, delays);
      if (delays) {
        created[n++] = new Lane(QueuePolicy.DEFAULT, maxSize, false);
      }
    }
    this.lanes = Arrays.copyOf(created, n);
  }

  public int requests() {
    return requests;
  }

  /** Returns the sum of the batch sizes. */
  public int items() {
    return items;
  }

  /** Returns the sum of the sizes of their inputs. */
  public long bytes() {
    return bytes;
  }

  /** Returns true if no request would be taken, whatever its priority. */
  public boolean isFull() {
    for (int level = 1; level < laneOfLevel.length; level++) {
      int index = laneOfLevel[level];
      Lane lane = lanes[index];
      int waiting = lane.size() + (lane.delays() ? lanes[index + 1].size() : 0);
      if (lane.maxSize() == 0 || waiting < lane.maxSize()) {
        return false;
      }
    }
    return true;
  }

  /** Returns how many were failed because their time was over. */
  public long expired() {
    return expired;
  }

  /** Returns how many were found answered, by cancellation mostly, before they ran. */
  public long cancelled() {
    return cancelled;
  }

  /** Queues a request; returns null if it was taken, otherwise why not. */
  public @Nullable InferenceException offer(InferenceRequest request, long nowNs) {
    if (Lane.isPast(request.deadlineNs(), nowNs)) {
      expired++;
      return tooLate();
    }
    int level = request.priority();
    if (level < 1 || level >= laneOfLevel.length) {
      level = defaultLevel;
    }
    int index = laneOfLevel[level];
    Lane lane = lanes[index];
    int waiting = lane.size() + (lane.delays() ? lanes[index + 1].size() : 0);
    if (lane.maxSize() > 0 && waiting >= lane.maxSize()) {
      return new InferenceException(
          ErrorCode.QUEUE_FULL,
          "Request for model '" + model + "' exceeds maximum queue size " + lane.maxSize(),
          RefusalReason.QUEUE_FULL,
          InferenceException.UNKNOWN);
    }
    lane.append(request, nowNs);
    requests++;
    items += request.batchSize();
    bytes += request.inputBytes();
    return null;
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

  /** Moves the first {@code count} requests to {@code into}. */
  void removeFirst(int count, List<InferenceRequest> into) {
    int left = count;
    for (Lane lane : lanes) {
      while (left > 0 && lane.size() > 0) {
        InferenceRequest request = lane.removeFirst();
        requests--;
        items -= request.batchSize();
        bytes -= request.inputBytes();
        into.add(request);
        left--;
      }
    }
  }

  /** Takes out what has waited too long. Returns true if the queue changed. */
  boolean expire(long nowNs, List<Rejection> rejected) {
    boolean changed = false;
    for (int i = 0; i < lanes.length; i++) {
      if (lanes[i].mayBeDue(nowNs)) {
        changed |= expire(i, nowNs, rejected);
      }
    }
    return changed;
  }

  private boolean expire(int index, long nowNs, List<Rejection> rejected) {
    Lane lane = lanes[index];
    int kept = 0;
    int size = lane.size();
    for (int i = 0; i < size; i++) {
      if (!lane.isDue(i, nowNs)) {
        lane.keep(i, kept++);
        continue;
      }
      InferenceRequest request = lane.request(i);
      boolean late = Lane.isPast(request.deadlineNs(), nowNs);
      if (lane.delays() && !late) {
        lanes[index + 1].append(request, lane.enqueuedNs(i), request.deadlineNs());
      } else {
        if (request.replyTo().isDone()) {
          cancelled++;
        } else {
          expired++;
        }
        drop(request, late ? tooLate() : timedOut(), rejected);
      }
    }
    lane.truncate(kept);
    return kept < size;
  }

  /** Takes out requests that were answered while they waited. Returns true if there were any. */
  boolean removeDone(List<Rejection> rejected) {
    int before = requests;
    for (Lane lane : lanes) {
      int kept = 0;
      int size = lane.size();
      for (int i = 0; i < size; i++) {
        InferenceRequest request = lane.request(i);
        if (request.replyTo().isDone()) {
          cancelled++;
          drop(request, cancelledFailure(), rejected);
        } else {
          lane.keep(i, kept++);
        }
      }
      if (kept < size) {
        lane.truncate(kept);
      }
    }
    return requests < before;
  }

  /**
   * Takes out requests without a deadline that came before {@code sinceNs}. Returns true if there
   * were any.
   */
  boolean shed(long sinceNs, InferenceException failure, List<Rejection> rejected) {
    int before = requests;
    for (Lane lane : lanes) {
      int kept = 0;
      int size = lane.size();
      for (int i = 0; i < size; i++) {
        InferenceRequest request = lane.request(i);
        boolean old = lane.enqueuedNs(i) - sinceNs < 0;
        if (old && request.deadlineNs() == InferenceRequest.NO_DEADLINE) {
          drop(request, failure, rejected);
        } else {
          lane.keep(i, kept++);
        }
      }
      if (kept < size) {
        lane.truncate(kept);
      }
    }
    return requests < before;
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

  private void drop(InferenceRequest request, InferenceException why, List<Rejection> rejected) {
    requests--;
    items -= request.batchSize();
    bytes -= request.inputBytes();
    rejected.add(new Rejection(request, why));
  }

  private static InferenceException timedOut() {
    return new InferenceException(ErrorCode.DEADLINE_EXCEEDED, "Request timeout expired");
  }

  private static InferenceException tooLate() {
    return new InferenceException(
        ErrorCode.DEADLINE_EXCEEDED, "Request deadline passed before it could run");
  }

  private static InferenceException cancelledFailure() {
    return new InferenceException(ErrorCode.CANCELLED, "Request was cancelled");
  }
}
