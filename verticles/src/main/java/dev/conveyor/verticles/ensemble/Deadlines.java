package dev.conveyor.verticles.ensemble;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.RefusalReason;
import dev.conveyor.scheduler.InferenceRequest;
import dev.conveyor.verticles.InferCall;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * By when a request through an ensemble has to be answered. Immutable; all times are those of
 * {@link System#nanoTime}, or {@link InferenceRequest#NO_DEADLINE}.
 *
 * <p>As with any model, what its client waits for no longer is over, whatever it is at; what cannot
 * meet the ensemble's objective is not begun, but what has begun is finished.
 *
 * @param clientNs when the client stops waiting
 * @param timeoutNs when the {@code timeout} of the request is over
 * @param objectiveNs when the ensemble's latency objective is over
 */
record Deadlines(long clientNs, long timeoutNs, long objectiveNs, long objectiveMicros) {

  static final Deadlines NONE =
      new Deadlines(
          InferenceRequest.NO_DEADLINE,
          InferenceRequest.NO_DEADLINE,
          InferenceRequest.NO_DEADLINE,
          0);

  /** Longer is for ever: times compare by difference, which must not overflow. */
  private static final long LONGEST_MICROS = TimeUnit.DAYS.toMicros(365);

  static Deadlines of(InferCall call, long arrivalNs, Duration objective) {
    long objectiveMicros = TimeUnit.NANOSECONDS.toMicros(objective.toNanos());
    return new Deadlines(
        call.deadlineNs(),
        after(arrivalNs, call.timeoutMicros()),
        after(arrivalNs, objectiveMicros),
        objectiveMicros);
  }

  /** Returns the deadline of the steps; their {@code timeout} goes with them besides. */
  long ofStepsNs() {
    return InferenceRequest.earlierNs(clientNs, objectiveNs);
  }

  /** Returns when the request is over. */
  long ownNs() {
    return InferenceRequest.earlierNs(clientNs, timeoutNs);
  }

  boolean hasObjective() {
    return objectiveNs != InferenceRequest.NO_DEADLINE;
  }

  /** Returns why no step may be begun any more, or null. */
  @Nullable InferenceException over() {
    boolean unlimited = ownNs() == InferenceRequest.NO_DEADLINE && !hasObjective();
    return unlimited ? null : over(System.nanoTime());
  }

  @Nullable InferenceException over(long nowNs) {
    if (isPast(ownNs(), nowNs)) {
      return timedOut();
    }
    return isPast(objectiveNs, nowNs) ? objectiveOver(nowNs) : null;
  }

  static InferenceException timedOut() {
    return new InferenceException(ErrorCode.DEADLINE_EXCEEDED, "Request timeout expired");
  }

  /** Returns the refusal of what has not begun when the objective is over. */
  InferenceException objectiveOver(long nowNs) {
    return missed("before it could run", nowNs);
  }

  /**
   * Returns the failure of a step as the request's. The step's model knows of one deadline only;
   * where that is the ensemble's objective, and it is over or the model refused the step because it
   * would be, the ensemble is overloaded, and the client may come again. Another limit, such as the
   * timeout of the model's own queue, stays what it is.
   */
  InferenceException inSteps(InferenceException failure, long nowNs) {
    boolean byObjective =
        failure.code() == ErrorCode.DEADLINE_EXCEEDED
            && InferenceRequest.earlierNs(ownNs(), objectiveNs) == objectiveNs
            && hasObjective()
            && (isPast(objectiveNs, nowNs) || failure.reason() == RefusalReason.DEADLINE)
            && !isPast(ownNs(), nowNs);
    return byObjective ? missed("or would be: " + failure.getMessage(), nowNs) : failure;
  }

  private InferenceException missed(String how, long nowNs) {
    return new InferenceException(
        ErrorCode.OVERLOADED,
        "the ensemble's latency objective of %d us was over %s".formatted(objectiveMicros, how),
        RefusalReason.DEADLINE,
        Math.max(1, nowNs - objectiveNs));
  }

  private static long after(long arrivalNs, long micros) {
    return micros <= 0 || micros > LONGEST_MICROS
        ? InferenceRequest.NO_DEADLINE
        : arrivalNs + TimeUnit.MICROSECONDS.toNanos(micros);
  }

  private static boolean isPast(long timeNs, long nowNs) {
    return timeNs != InferenceRequest.NO_DEADLINE && nowNs - timeNs >= 0;
  }
}
