package dev.conveyor.scheduler;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import io.vertx.core.eventbus.DeliveryOptions;
import io.vertx.core.eventbus.EventBus;
import io.vertx.core.eventbus.ReplyException;
import io.vertx.core.eventbus.ReplyFailure;
import java.util.function.Supplier;

/**
 * What the scheduler's actor does about batches that are not answered for: tells the supervisor
 * about the instance, and has the requests run again elsewhere, once, or fails them.
 *
 * <p>Thread-confined: part of the {@link SchedulerVerticle}, on its event loop.
 */
final class LostBatches {

  /** How often running executions are looked at. */
  static final long LOOK_EVERY_MS = 10;

  private static final long STALL_NS = 200_000_000;

  private final Scheduler scheduler;
  private final Supplier<EventBus> bus;
  private final DeliveryOptions runOptions;
  private final NanoClock clock;
  private final Replies replies;
  private final Runnable dispatchSoon;
  private long lookedNs;
  private long stallEndNs;

  LostBatches(
      Scheduler scheduler,
      Supplier<EventBus> bus,
      DeliveryOptions runOptions,
      NanoClock clock,
      Replies replies,
      Runnable dispatchSoon) {
    this.scheduler = scheduler;
    this.bus = bus;
    this.runOptions = runOptions;
    this.clock = clock;
    this.replies = replies;
    this.dispatchSoon = dispatchSoon;
  }

  /** Notes that time is looked at from now on. */
  void begin() {
    lookedNs = clock.nanoTime();
    stallEndNs = lookedNs;
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

  /** Takes out the instances whose batches run longer than their profiles explain. */
  void lendAndCutOverdue() {
    long nowNs = clock.nanoTime();
    if (nowNs - lookedNs > STALL_NS) {
      // We stood still ourselves, and so, perhaps, did everything: nothing is overdue for that.
      stallEndNs = nowNs;
    }
    lookedNs = nowNs;
    if (scheduler.lendOverdue(nowNs, stallEndNs)) {
      dispatchSoon.run();
    }
    for (Assignment overdue : scheduler.overdue(nowNs, stallEndNs)) {
      long ageMs = overdue.batch().clock().ageNs(nowNs) / 1_000_000;
      giveUp(overdue, InstanceLost.Cause.HUNG, false, "an execution runs for " + ageMs + " ms");
    }
  }

  /** Takes an instance out, with its batch; returns false if that was done before. */
  private boolean giveUp(
      Assignment assignment, InstanceLost.Cause cause, boolean returned, String detail) {
    if (!scheduler.onLost(assignment, clock.nanoTime())) {
      return false;
    }
    InstanceRef instance = assignment.instance();
    // First, so that the requests that follow find another instance coming, or none to wait for.
    bus.get()
        .request(
            Addresses.LOST,
            new InstanceLost(instance.key(), instance.index(), cause, detail),
            runOptions)
        .onFailure(
            nobody -> {
              scheduler.giveUp(instance.key(), "its instances were lost");
              dispatchSoon.run();
            });
    for (InferenceRequest request : assignment.batch().requests()) {
      if (!request.replyTo().isDone() && !request.runsElsewhere()) {
        runAgain(instance.key(), request, returned, detail);
      } else if (returned) {
        request.close();
      }
    }
    replies.flush();
    dispatchSoon.run();
    return true;
  }

  private void runAgain(String key, InferenceRequest request, boolean returned, String detail) {
    long nowNs = clock.nanoTime();
    String refusal = scheduler.refuseRetry(request, nowNs);
    bus.get()
        .publish(
            Addresses.RETRIES, new RetryDecision(key, refusal == null ? "" : refusal), runOptions);
    InferenceRequest again =
        refusal != null ? null : returned ? request.repeat() : request.repeatShared();
    if (again == null) {
      replies.fail(request.replyTo(), lost(request, detail));
      if (returned) {
        request.close();
      }
      return;
    }
    InferenceException failure = scheduler.submit(again, nowNs);
    if (failure != null) {
      replies.fail(again.replyTo(), failure);
      again.close();
    }
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
