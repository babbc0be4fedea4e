package dev.conveyor.verticles.ensemble;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.RefusalReason;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.ensemble.PlannedStep;
import dev.conveyor.models.steps.Step;
import dev.conveyor.scheduler.InferenceResponse;
import dev.conveyor.scheduler.ReplyTo;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One step of one request, or of one of its items, from when its inputs are there to its end: it
 * waits for its limit, is with a worker, or is a request of its model.
 *
 * <p>Thread-confined: the context of the request. Those of a request are a list, which costs no
 * hashing.
 */
final class StepCall implements Runnable, ReplyTo.Handler {

  private static final Logger LOG = LoggerFactory.getLogger(StepCall.class);

  private final StepCalls calls;
  private final PlannedStep step;
  private final int item;
  private final Supplier<StepInputs> inputs;
  private final Consumer<List<Tensor>> done;
  private final StepLimit limit;
  private boolean waits;
  private boolean left;
  private @Nullable ReplyTo path;
  private @Nullable StepCall before;
  private @Nullable StepCall after;

  /**
   * Prepares it.
   *
   * @param inputs asked for once, when it is about to run; never if the request is over then
   * @param done gets the outputs, later, unless the request is over
   */
  StepCall(
      StepCalls calls,
      PlannedStep step,
      int item,
      Supplier<StepInputs> inputs,
      Consumer<List<Tensor>> done,
      StepLimit limit) {
    this.calls = calls;
    this.step = step;
    this.item = item;
    this.inputs = inputs;
    this.done = done;
    this.limit = limit;
  }

  PlannedStep step() {
    return step;
  }

  /** Returns the step's name in messages. */
  String where() {
    return item == StepCalls.NO_ITEM ? step.label() : step.label() + ", item " + item;
  }

  /** Returns whether its limit has not let it in yet. */
  boolean waits() {
    return waits;
  }

  /** Returns the one that was begun before it and is not at its end, or null. */
  @Nullable StepCall earlier() {
    return after;
  }

  /** Begins, now or when the limit lets it. */
  void enter(ReplyTo reply, @Nullable StepCall latest) {
    after = latest;
    if (latest != null) {
      latest.before = this;
    }
    switch (limit.enter(reply, this)) {
      case RUNS -> begin();
      case FULL -> {
        left = true;
        unlist();
        calls.fail(
            where(),
            new InferenceException(
                ErrorCode.QUEUE_FULL,
                StepLimit.MAX_WAITING + " requests wait for this step already",
                RefusalReason.QUEUE_FULL,
                InferenceException.UNKNOWN));
      }
      case WAITS -> waits = true;
    }
  }

  /** The limit lets it in. */
  @Override
  public void run() {
    waits = false;
    InferenceException late = calls.isOver() ? null : calls.late();
    if (calls.isOver()) {
      leave();
    } else if (late != null) {
      leave();
      calls.fail(where(), late);
    } else {
      begin();
    }
  }

  /** Whatever goes wrong: who was let in leaves, and the request ends. */
  private void begin() {
    try {
      if (step.step().isPresent()) {
        work(step.step().get());
      } else {
        path = calls.infer(step, inputs.get(), this);
      }
    } catch (RuntimeException e) {
      leave();
      calls.fail(where(), StepCalls.asFailure(e));
    }
  }

  private void work(Step work) {
    calls
        .onWorker(step, work, inputs.get())
        .onComplete(
            outputs -> {
              leave();
              calls.deliver(where(), outputs, done);
            },
            failure -> {
              leave();
              if (!(failure instanceof InferenceException)) {
                // No model's log has it, and the answer has its message only.
                LOG.warn("{} failed{}", calls.in(where()), calls.traced(), failure);
              }
              calls.fail(where(), StepCalls.asFailure(failure));
            });
  }

  @Override
  public void handle(@Nullable InferenceResponse response, @Nullable InferenceException failure) {
    leave();
    if (response == null) {
      calls.fail(where(), StepCalls.asFailure(failure));
    } else {
      calls.deliver(
          where(), response.outputs(), outputs -> done.accept(calls.counted(outputs, item)));
    }
  }

  /** Calls the request of its model off; returns false if there is none that is under way. */
  boolean giveUp() {
    return path != null
        && path.fail(new InferenceException(ErrorCode.CANCELLED, "the request is over"));
  }

  private void leave() {
    if (!left) {
      left = true;
      unlist();
      limit.leave();
    }
  }

  private void unlist() {
    if (before != null) {
      before.after = after;
    } else {
      calls.latest(after);
    }
    if (after != null) {
      after.before = before;
    }
  }
}
