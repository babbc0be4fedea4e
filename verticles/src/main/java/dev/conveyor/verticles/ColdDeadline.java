package dev.conveyor.verticles;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.RefusalReason;
import dev.conveyor.models.config.DynamicBatching;
import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.models.config.QueuePolicy;
import dev.conveyor.scheduler.InferenceRequest;
import java.util.concurrent.TimeUnit;

/**
 * By when a request has to be answered that waits for its model to be loaded: what its model's
 * queue would say, were it there. Immutable; times are those of {@link System#nanoTime}, or {@link
 * InferenceRequest#NO_DEADLINE}.
 *
 * @param ownNs when the client stops waiting, or when the {@code timeout} of its request is over,
 *     where that is one
 * @param objectiveNs when the model's latency objective is over
 */
record ColdDeadline(long ownNs, long objectiveNs) {

  /** Longer is for ever: times compare by difference, which must not overflow. */
  private static final long LONGEST_MICROS = TimeUnit.DAYS.toMicros(365);

  static ColdDeadline of(ModelConfig config, InferCall call, long arrivalNs) {
    return of(config, call.deadlineNs(), call.priority(), call.timeoutMicros(), arrivalNs);
  }

  /** The same by what is known at the door. */
  static ColdDeadline of(ModelConfig config, DoorTerms terms, long arrivalNs) {
    return of(config, terms.deadlineNs(), terms.priority(), terms.timeoutMicros(), arrivalNs);
  }

  private static ColdDeadline of(
      ModelConfig config, long deadlineNs, int priority, long timeoutMicros, long arrivalNs) {
    long objectiveMicros =
        TimeUnit.NANOSECONDS.toMicros(
            config.extensions().serviceLevel().latencyObjective().toNanos());
    boolean hasTimeout = objectiveMicros > 0 || letsRequestsTimeOut(config, priority);
    return new ColdDeadline(
        InferenceRequest.earlierNs(deadlineNs, after(arrivalNs, hasTimeout ? timeoutMicros : 0)),
        after(arrivalNs, objectiveMicros));
  }

  /** Returns whether the queue would fail a request whose own timeout is over. */
  private static boolean letsRequestsTimeOut(ModelConfig config, int priority) {
    DynamicBatching batching = config.dynamicBatching().orElse(DynamicBatching.DEFAULT);
    boolean hasLevel = priority >= 1 && priority <= batching.priorityLevels();
    QueuePolicy policy = batching.policy(hasLevel ? priority : batching.defaultPriorityLevel());
    return policy.allowTimeoutOverride()
        && policy.timeoutAction() == QueuePolicy.TimeoutAction.REJECT;
  }

  /** Returns the end of a time; none for 0 and for what is longer than clocks compare. */
  static long after(long arrivalNs, long micros) {
    return micros <= 0 || micros > LONGEST_MICROS
        ? InferenceRequest.NO_DEADLINE
        : arrivalNs + TimeUnit.MICROSECONDS.toNanos(micros);
  }

  long ns() {
    return InferenceRequest.earlierNs(ownNs, objectiveNs);
  }

  /** Returns the failure of a request for a model that was still loading then. */
  InferenceException passed(String model) {
    return ns() == ownNs
        ? new InferenceException(
            ErrorCode.DEADLINE_EXCEEDED, "Request timed out while model '" + model + "' was loaded")
        : new InferenceException(
            ErrorCode.OVERLOADED,
            "Model '" + model + "' was loaded for longer than its latency objective",
            RefusalReason.DEADLINE,
            InferenceException.UNKNOWN);
  }
}
