package dev.conveyor.verticles;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.RefusalReason;
import dev.conveyor.models.ensemble.PlannedStep;
import dev.conveyor.scheduler.InferenceRequest;
import dev.conveyor.verticles.ensemble.Ensemble;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * What a request to an ensemble, which has no queue of its own, has ahead of it at least: by what
 * the doors of the models show of those steps that every request takes. It is a lower bound: what
 * comes later than now meets queues that are shorter by then, and idle models, steps that may be
 * skipped, items, steps without a model and waits for {@code max_inflight_requests} count for
 * nothing. So what it refuses the scheduler would, after some steps had run in vain.
 *
 * <p>A model that is asked at once, as the request comes, is asked as its own door is: its queue
 * may also be full. Of the others nobody knows whether it will be.
 *
 * <p>Thread-confined: made for one request and asked by the thread that it came on. Times are those
 * of {@link System#nanoTime}, compared by difference.
 */
final class EnsembleDoor {

  private static final double NS_PER_MS = 1e6;

  private final ServedModel served;
  private final DoorTerms terms;
  private final long untilNs;
  private final long nowNs;
  private final List<ServedModel> cold = new ArrayList<>(0);
  private boolean awaitsLoads;
  private @Nullable InferenceException refusalAtOnce;
  private @Nullable PlannedStep longest;
  private long longestNs;

  private EnsembleDoor(ServedModel served, DoorTerms terms, long untilNs, long nowNs) {
    this.served = served;
    this.terms = terms;
    this.untilNs = untilNs;
    this.nowNs = nowNs;
  }

  /**
   * Creates the door for a request.
   *
   * @param served an ensemble
   * @param arrivalNs when the request came, from when its {@code timeout} and the ensemble's
   *     objective count
   */
  static EnsembleDoor of(ServedModel served, DoorTerms terms, long arrivalNs, long nowNs) {
    long untilNs =
        InferenceRequest.earlierNs(
            terms.deadlineNs(), ColdDeadline.after(arrivalNs, terms.timeoutMicros()));
    long objectiveNs = served.objectiveNs();
    // Nobody knows how much of its bytes is for which step.
    return new EnsembleDoor(
        served,
        new DoorTerms(
            terms.tenant(), 0, terms.deadlineNs(), terms.priority(), terms.timeoutMicros()),
        objectiveNs == 0 ? untilNs : InferenceRequest.earlierNs(untilNs, arrivalNs + objectiveNs),
        nowNs);
  }

  /**
   * Lets a request begin whose {@code timeout} may have been in its body.
   *
   * @throws InferenceException if its answer would be late, with the reason and the time to wait
   */
  static void reconsider(ServedModel served, InferCall call, long arrivalNs) {
    DoorTerms terms =
        new DoorTerms(call.tenant(), 0, call.deadlineNs(), call.priority(), call.timeoutMicros());
    EnsembleDoor door = of(served, terms, arrivalNs, System.nanoTime());
    InferenceException refusal =
        door.untilNs == InferenceRequest.NO_DEADLINE ? null : door.refusal();
    if (refusal != null) {
      throw refusal; // Whoever answers counts it.
    }
  }

  /** Returns by when the request is to be answered, or {@link InferenceRequest#NO_DEADLINE}. */
  long untilNs() {
    return untilNs;
  }

  /** Returns why a request has to stay outside by what models do that are in memory; or null. */
  @Nullable InferenceException refusal() {
    long neededNs = neededNs(false);
    return refusalAtOnce != null || untilNs == InferenceRequest.NO_DEADLINE
        ? refusalAtOnce
        : late(neededNs);
  }

  /** Returns why it has to because models are not in memory, which {@link #cold} then has. */
  @Nullable InferenceException coldRefusal() {
    if (untilNs == InferenceRequest.NO_DEADLINE) {
      return null;
    }
    long neededNs = neededNs(true);
    return cold.isEmpty() ? null : late(neededNs);
  }

  /** Returns the models that every request needs and that are not in memory. */
  List<ServedModel> cold() {
    return cold;
  }

  private long neededNs(boolean withLoads) {
    Ensemble ensemble = served.ensemble();
    awaitsLoads = withLoads;
    return ensemble == null ? 0 : doneNs(ensemble, 0, true);
  }

  /**
   * Returns after how long an ensemble is done.
   *
   * @param atOnce whether it begins as the request comes
   */
  private long doneNs(Ensemble ensemble, long beginNs, boolean atOnce) {
    return ensemble
        .path()
        .doneNs(
            beginNs,
            (step, readyNs, isFirst) -> {
              ServedModel model = step.step().isPresent() ? null : ensemble.members().find(step);
              if (model == null) {
                return readyNs;
              }
              boolean isFree = ensemble.limits().get(step.index()).isFree();
              long doneNs = doneNs(step, model, readyNs, atOnce && isFirst && isFree);
              if (doneNs - readyNs > longestNs) {
                longest = step;
                longestNs = doneNs - readyNs;
              }
              return doneNs;
            });
  }

  private long doneNs(PlannedStep step, ServedModel model, long readyNs, boolean atOnce) {
    Ensemble inner = model.ensemble();
    if (inner != null) {
      return doneNs(inner, readyNs, atOnce);
    }
    if (!model.isLoaded()) {
      return loadedNs(model, readyNs);
    }
    if (atOnce && refusalAtOnce == null) {
      InferenceException refusal = FrontDoor.refusal(model, terms, untilNs, nowNs);
      refusalAtOnce = refusal == null ? null : in(step, refusal);
    }
    return model
        .door()
        .load()
        .get()
        .seenBy(terms.priority())
        .seenBy(terms.tenant())
        .earliestDoneNs(readyNs, nowNs);
  }

  private long loadedNs(ServedModel model, long readyNs) {
    if (!awaitsLoads) {
      return readyNs;
    }
    if (cold.stream().noneMatch(other -> other.name().equals(model.name()))) {
      cold.add(model);
    }
    ModelDoor.ColdStart start = model.door().coldStart();
    long leftNs = start.leftNs(nowNs);
    return start.isUnderWay() ? Math.max(readyNs, leftNs) : readyNs + leftNs;
  }

  private @Nullable InferenceException late(long neededNs) {
    long leftNs = untilNs - nowNs;
    PlannedStep step = longest;
    if (neededNs <= leftNs || step == null) {
      return null;
    }
    return new InferenceException(
        ErrorCode.OVERLOADED,
        String.format(
            Locale.ROOT,
            "ensemble '%s' would answer after %.1f ms at the earliest, %.1f ms too late:"
                + " %.1f ms for %s",
            served.name(),
            neededNs / NS_PER_MS,
            (neededNs - leftNs) / NS_PER_MS,
            longestNs / NS_PER_MS,
            step.label()),
        RefusalReason.DEADLINE,
        awaitsLoads ? neededNs : neededNs - leftNs);
  }

  private InferenceException in(PlannedStep step, InferenceException refusal) {
    return new InferenceException(
        refusal.code(),
        "ensemble '%s': %s: %s".formatted(served.name(), step.label(), refusal.getMessage()),
        refusal.reason(),
        refusal.retryAfterNs());
  }
}
