package dev.conveyor.scheduler;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.scheduler.isolation.ExecutionLimit;
import dev.conveyor.scheduler.isolation.ExecutionWatch;
import dev.conveyor.scheduler.isolation.Stalls;
import dev.conveyor.scheduler.isolation.Suspects;
import io.vertx.core.eventbus.DeliveryOptions;
import io.vertx.core.eventbus.EventBus;
import io.vertx.core.eventbus.ReplyException;
import io.vertx.core.eventbus.ReplyFailure;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * What the scheduler's actor does about batches that are not answered for: tells the supervisor
 * about the instance, and has the requests run again elsewhere, once, or fails them.
 *
 * <p>Thread-confined: part of the {@link SchedulerVerticle}, on its event loop.
 */
final class LostBatches {

  private final Scheduler scheduler;
  private final Supplier<EventBus> bus;
  private final DeliveryOptions local;
  private final ExecutionLimit limit;
  private final NanoClock clock;
  private final Replies replies;
  private final Runnable dispatchSoon;
  private final ExecutionWatch watch;
  private final Map<String, Suspects> suspects = new HashMap<>();

  /**
   * Creates it.
   *
   * @param limit how long an execution may take before it counts as hung
   */
  LostBatches(
      Scheduler scheduler,
      Supplier<EventBus> bus,
      DeliveryOptions local,
      ExecutionLimit limit,
      NanoClock clock,
      Replies replies,
      Runnable dispatchSoon) {
    this.scheduler = scheduler;
    this.bus = bus;
    this.local = local;
    this.limit = limit;
    this.clock = clock;
    this.replies = replies;
    this.dispatchSoon = dispatchSoon;
    this.watch = new ExecutionWatch(limit.leastPatienceNs());
  }

  /** From now on what may have cost a model an instance is told to its instances' memory. */
  void remember(String key, Suspects memory) {
    suspects.put(key, memory);
  }

  /** A model is gone. */
  void forget(String key) {
    suspects.remove(key);
  }

  /** Takes note that a batch begins. */
  void began(long nowNs) {
    watch.began(nowNs);
  }

  /** Takes note that an instance did not answer for a batch. */
  void onFailure(Assignment assignment, Throwable failure) {
    ReplyFailure type =
        failure instanceof ReplyException reply ? reply.failureType() : ReplyFailure.ERROR;
    // After a refusal, and if nobody was there, the requests are ours again; a silent instance may
    // still be reading them.
    boolean returned = type == ReplyFailure.RECIPIENT_FAILURE || type == ReplyFailure.NO_HANDLERS;
    InstanceLost.Cause cause =
        switch (type) {
          case RECIPIENT_FAILURE -> InstanceLost.Cause.SICK;
          case TIMEOUT -> InstanceLost.Cause.HUNG;
          default -> InstanceLost.Cause.GONE;
        };
    if (!giveUp(assignment, cause, returned, String.valueOf(failure.getMessage())) && returned) {
      assignment.batch().requests().forEach(InferenceRequest::close);
    }
  }

  /**
   * If it is time to look, takes out the instances whose batches run longer than their profiles
   * explain. Others have the room of what is merely slow; who may run in it is to be decided after.
   */
  void lendAndCutOverdue(long nowNs) {
    if (!watch.isDue(nowNs)) {
      return;
    }
    Executions executions = scheduler.executions();
    Stalls stalls = watch.look(nowNs);
    for (Assignment lent : executions.lendOverdue(nowNs, stalls)) {
      InstanceRef instance = lent.instance();
      long ageNs = lent.batch().clock().ageNs(nowNs);
      bus.get()
          .publish(Addresses.LENT, new RoomLent(instance.key(), instance.index(), ageNs), local);
    }
    for (Assignment overdue : executions.overdue(nowNs, stalls, limit)) {
      long ageMs = overdue.batch().clock().ageNs(nowNs) / 1_000_000;
      giveUp(overdue, InstanceLost.Cause.HUNG, false, "an execution runs for " + ageMs + " ms");
    }
    watch.looked(nowNs, executions.untilOverdueNs(nowNs, stalls, limit));
  }

  /** Returns how long until {@link #lendAndCutOverdue} must be called though nothing happens. */
  long untilLookNs(long nowNs) {
    return watch.untilWakeNs(nowNs);
  }

  /** Takes an instance out, with its batch; returns false if that was done before. */
  private boolean giveUp(
      Assignment assignment, InstanceLost.Cause cause, boolean returned, String detail) {
    long nowNs = clock.nanoTime();
    boolean news =
        cause == InstanceLost.Cause.HUNG
            ? scheduler.onCut(assignment, nowNs)
            : scheduler.onLost(assignment, nowNs);
    if (!news) {
      return false;
    }
    InstanceRef instance = assignment.instance();
    // First, so that the requests that follow find another instance coming, or none to wait for.
    bus.get()
        .request(
            Addresses.LOST,
            new InstanceLost(instance.key(), instance.index(), cause, detail),
            local)
        .onFailure(
            nobody -> {
              scheduler.giveUp(instance.key(), "its instances were lost", nowNs, nowNs);
              dispatchSoon.run();
            });
    for (InferenceRequest request : assignment.batch().requests()) {
      if (!request.replyTo().isDone() && !request.runsElsewhere()) {
        runAgain(assignment, request, returned, detail);
      } else if (returned) {
        request.close();
      }
    }
    replies.flush(assignment.batch().turn());
    dispatchSoon.run();
    return true;
  }

  private void runAgain(
      Assignment assignment, InferenceRequest request, boolean returned, String detail) {
    long nowNs = clock.nanoTime();
    boolean alone = assignment.batch().clock().isOnlyFor(request);
    InferenceRequest again = returned ? request.repeat() : request.repeatShared();
    InferenceException failure = null;
    String refusal = "";
    if (again == null) {
      refusal = "inputs";
    } else {
      failure = alone ? blame(assignment, again, detail, nowNs) : null;
      refusal = failure != null ? RetryDecision.TO_BLAME : scheduler.refuseRetry(again, nowNs);
    }
    if (again != null && refusal == null) {
      failure = scheduler.submit(again, nowNs);
      refusal = failure == null ? "" : failure.code().name().toLowerCase(Locale.ROOT);
    } else if (failure == null) {
      failure = lost(request, detail);
    }
    String trace = request.trace().isEmpty() ? "" : ", traceparent " + request.trace();
    String key = assignment.instance().key();
    bus.get()
        .publish(
            Addresses.RETRIES,
            new RetryDecision(key, String.valueOf(refusal), detail + trace),
            local);
    if (failure != null) {
      replies.fail(request.replyTo(), failure);
      if (again != null) {
        again.close();
      }
    }
  }

  /**
   * Takes note of what may have cost an instance; returns what it is told if that has been so too
   * often. Instances on a GPU share its fate, so there it says too little who ran when it was lost.
   */
  private @Nullable InferenceException blame(
      Assignment assignment, InferenceRequest request, String detail, long nowNs) {
    Suspects memory = suspects.get(assignment.instance().key());
    return memory != null
            && assignment.state.placement.device.spec.kind() == DeviceSpec.Kind.CPU
            && memory.onLoss(request, request.tries(), detail, nowNs)
        ? memory.refusal(request.model(), request, nowNs)
        : null;
  }

  private static InferenceException lost(InferenceRequest request, String detail) {
    return new InferenceException(
        ErrorCode.UNAVAILABLE,
        "model '"
            + request.model()
            + "': its instance was lost while it ran this request, which may be sent again: "
            + detail);
  }
}
