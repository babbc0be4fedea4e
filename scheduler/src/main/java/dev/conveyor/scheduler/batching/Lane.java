package dev.conveyor.scheduler.batching;

import dev.conveyor.models.config.QueuePolicy;
import dev.conveyor.scheduler.InferenceRequest;
import java.time.Duration;
import java.util.Arrays;
import java.util.function.IntPredicate;
import org.jspecify.annotations.Nullable;

/**
 * Requests of one priority level in the order in which they came, or by deadline, with the time at
 * which each stops waiting. A ring of parallel arrays: a request costs no object here.
 *
 * <p>By deadline, equal deadlines keep the order of arrival; since most requests of a model have
 * the same objective, one comparison usually finds the place.
 *
 * <p>Not thread-safe: owned by its {@link RequestQueue}.
 *
 * <p>Invariant: no entry is due before {@link #earliestDueNs}. It may be too early after removals;
 * the next expiry makes it exact again. The same holds for {@link #earliestEnqueuedNs}.
 */
final class Lane {

  /** Due time of an entry that may wait without limit. */
  static final long NEVER = Long.MAX_VALUE;

  /** Longer timeouts are no timeouts; half the range of a time difference, so sums are safe. */
  private static final long LONGEST_TIMEOUT_NS = Long.MAX_VALUE / 2;

  private final long timeoutNs;
  private final boolean allowTimeoutOverride;
  private final boolean delays;
  private final int maxSize;
  private final boolean byDeadline;

  private @Nullable InferenceRequest[] requests = new @Nullable InferenceRequest[16];
  private long[] enqueuedNs = new long[16];
  private long[] dueNs = new long[16];
  private long[] deadlineNs = new long[16];
  private int head;
  private int size;
  private long earliestDueNs = NEVER;
  private long earliestEnqueuedNs;

  /**
   * Creates a lane.
   *
   * @param delays what times out here is to wait elsewhere
   * @param byDeadline the earliest deadline goes first
   */
  Lane(QueuePolicy policy, int maxSize, boolean delays, boolean byDeadline) {
    this.timeoutNs = timeoutNs(policy.defaultTimeout());
    this.allowTimeoutOverride = policy.allowTimeoutOverride();
    this.delays = delays;
    this.maxSize = maxSize;
    this.byDeadline = byDeadline;
  }

  int size() {
    return size;
  }

  int maxSize() {
    return maxSize;
  }

  /** Returns true if a request that times out here is to be delayed rather than failed. */
  boolean delays() {
    return delays;
  }

  InferenceRequest request(int i) {
    InferenceRequest request = requests[slot(i)];
    if (request == null) {
      throw new IndexOutOfBoundsException(i);
    }
    return request;
  }

  long enqueuedNs(int i) {
    return enqueuedNs[slot(i)];
  }

  long dueNs(int i) {
    return dueNs[slot(i)];
  }

  /** Returns when the request must be answered, or {@link #NEVER}. */
  long deadlineNs(int i) {
    return deadlineNs[slot(i)];
  }

  boolean isDue(int i, long nowNs) {
    return isPast(dueNs[slot(i)], nowNs);
  }

  /** Returns true if an entry may be due. Never false if one is. */
  boolean mayBeDue(long nowNs) {
    return isPast(earliestDueNs, nowNs);
  }

  /** Returns a time before which no entry is due, or {@link #NEVER}. */
  long earliestDueNs() {
    return earliestDueNs;
  }

  /** Returns a time before which no entry came; of a lane that is not empty. */
  long earliestEnqueuedNs() {
    return earliestEnqueuedNs;
  }

  /** Adds a request that stops waiting at the earlier of its timeout and its deadline. */
  void add(InferenceRequest request, long nowNs, long deadlineNs) {
    long timeoutNs = this.timeoutNs;
    if (allowTimeoutOverride && request.timeoutMicros() > 0) {
      long ownNs = timeoutNs(request.timeoutMicros());
      timeoutNs = timeoutNs == 0 || (ownNs != 0 && ownNs < timeoutNs) ? ownNs : timeoutNs;
    }
    long dueNs = timeoutNs == 0 ? deadlineNs : earlier(after(nowNs, timeoutNs), deadlineNs);
    add(request, nowNs, dueNs, deadlineNs);
  }

  /** Adds a request that waits until {@code dueNs}. */
  void add(InferenceRequest request, long enqueuedNs, long dueNs, long deadlineNs) {
    if (size == requests.length) {
      grow();
    }
    int at = size++;
    while (at > 0 && goesBefore(request, deadlineNs, at - 1)) {
      keep(at - 1, at);
      at--;
    }
    int slot = slot(at);
    requests[slot] = request;
    this.enqueuedNs[slot] = enqueuedNs;
    this.dueNs[slot] = dueNs;
    this.deadlineNs[slot] = deadlineNs;
    earliestDueNs = earlier(earliestDueNs, dueNs);
    if (size == 1 || enqueuedNs - earliestEnqueuedNs < 0) {
      earliestEnqueuedNs = enqueuedNs;
    }
  }

  /** Among tenants the fair order goes first; without tenants all tags are equal. */
  private boolean goesBefore(InferenceRequest request, long deadlineNs, int i) {
    return byDeadline
        ? isEarlier(deadlineNs, this.deadlineNs[slot(i)])
        : request.notes().fairTagNs() < request(i).notes().fairTagNs();
  }

  InferenceRequest removeFirst() {
    InferenceRequest request = request(0);
    requests[head] = null;
    head = slot(1);
    size--;
    if (size == 0) {
      earliestDueNs = NEVER;
    }
    return request;
  }

  /** Returns true if an entry goes after a request in the fair order of tenants. */
  boolean isBehind(int i, InferenceRequest request) {
    return request(i).notes().fairTagNs() > request.notes().fairTagNs();
  }

  /**
   * Takes out the entries that a rule names, asked in order. Returns true if there were any; the
   * earliest times are exact afterwards.
   */
  boolean removeIf(IntPredicate leaves) {
    int kept = 0;
    int before = size;
    for (int i = 0; i < before; i++) {
      if (!leaves.test(i)) {
        keep(i, kept++);
      }
    }
    truncate(kept);
    return kept < before;
  }

  /** Moves entry {@code from} to {@code to}; part of a compaction or an insertion. */
  private void keep(int from, int to) {
    int source = slot(from);
    int target = slot(to);
    requests[target] = requests[source];
    enqueuedNs[target] = enqueuedNs[source];
    dueNs[target] = dueNs[source];
    deadlineNs[target] = deadlineNs[source];
  }

  /** Ends a compaction: the first {@code kept} entries stay. */
  private void truncate(int kept) {
    long due = NEVER;
    long enqueued = kept > 0 ? enqueuedNs[slot(0)] : 0;
    for (int i = 0; i < kept; i++) {
      due = earlier(due, dueNs[slot(i)]);
      long atNs = enqueuedNs[slot(i)];
      enqueued = atNs - enqueued < 0 ? atNs : enqueued;
    }
    for (int i = kept; i < size; i++) {
      requests[slot(i)] = null;
    }
    size = kept;
    earliestDueNs = due;
    earliestEnqueuedNs = enqueued;
  }

  /** Returns true if {@code timeNs} has come; {@link #NEVER} does not. */
  static boolean isPast(long timeNs, long nowNs) {
    return timeNs != NEVER && nowNs - timeNs >= 0;
  }

  /** Returns the earlier of two times, either of which may be {@link #NEVER}. */
  static long earlier(long aNs, long bNs) {
    return isEarlier(bNs, aNs) ? bNs : aNs;
  }

  /** Returns a time that much later, never {@link #NEVER} by chance. */
  static long after(long timeNs, long delayNs) {
    long laterNs = timeNs + delayNs;
    return laterNs == NEVER ? NEVER - 1 : laterNs;
  }

  private static boolean isEarlier(long aNs, long bNs) {
    return aNs != NEVER && (bNs == NEVER || aNs - bNs < 0);
  }

  private static long timeoutNs(Duration timeout) {
    return timeout.toSeconds() > LONGEST_TIMEOUT_NS / 1_000_000_000 ? 0 : timeout.toNanos();
  }

  /** Returns a request's own timeout, 0 if it is too long to matter. */
  static long timeoutNs(long micros) {
    return micros > LONGEST_TIMEOUT_NS / 1000 ? 0 : micros * 1000;
  }

  private int slot(int i) {
    return (head + i) & (requests.length - 1);
  }

  private void grow() {
    int length = requests.length;
    @Nullable InferenceRequest[] grown = Arrays.copyOf(requests, length * 2);
    long[] grownEnqueued = new long[length * 2];
    long[] grownDue = new long[length * 2];
    long[] grownDeadline = new long[length * 2];
    for (int i = 0; i < size; i++) {
      int slot = slot(i);
      grown[i] = requests[slot];
      grownEnqueued[i] = enqueuedNs[slot];
      grownDue[i] = dueNs[slot];
      grownDeadline[i] = deadlineNs[slot];
    }
    requests = grown;
    enqueuedNs = grownEnqueued;
    dueNs = grownDue;
    deadlineNs = grownDeadline;
    head = 0;
  }
}
