package dev.conveyor.verticles.ensemble;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.config.EnsembleConfig;
import dev.conveyor.models.ensemble.PlannedStep;
import dev.conveyor.models.steps.Step;
import dev.conveyor.scheduler.InferenceResponse;
import dev.conveyor.scheduler.ReplyTo;
import dev.conveyor.verticles.InferCall;
import dev.conveyor.verticles.InferenceGateway;
import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.metrics.HandOver;
import dev.conveyor.verticles.metrics.ModelStats;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The steps of one request, each a request of its model or work on a worker, with the priority, the
 * tenant and the deadline of the request.
 *
 * <p>Thread-confined: the context of the request, where all answers arrive.
 */
final class StepCalls {

  /** Where a step runs for the request as a whole, not for one of its items. */
  static final int NO_ITEM = -1;

  private final ServedModel served;
  private final Ensemble ensemble;
  private final InferCall call;
  private final long arrivalNs;
  private final InferenceGateway gateway;
  private final StepStage stage;
  private final ReplyTo reply;
  private @Nullable UnderWay first;
  private boolean over;

  StepCalls(
      ServedModel served,
      Ensemble ensemble,
      InferCall call,
      long arrivalNs,
      InferenceGateway gateway,
      StepStage stage,
      ReplyTo reply) {
    this.served = served;
    this.ensemble = ensemble;
    this.call = call;
    this.arrivalNs = arrivalNs;
    this.gateway = gateway;
    this.stage = stage;
    this.reply = reply;
  }

  HandOver handOver() {
    return ensemble.handOver();
  }

  /** Returns whether the request was answered, or is about to be. */
  boolean isOver() {
    return over || reply.isDone();
  }

  /** The request is over: what still runs for it is called off. */
  void end() {
    over = true;
    if (first == null) {
      return;
    }
    Set<PlannedStep> givenUp = new HashSet<>();
    for (UnderWay next = first; next != null; next = next.after) {
      if (next.giveUp()) {
        givenUp.add(next.step);
      }
    }
    givenUp.forEach(step -> gateway.onGivenUp(step.model(), version(step)));
  }

  /** The request's own timeout is over; the message names the step that was begun last. */
  void expire() {
    fail(first == null ? "between steps" : where(first.step, first.item), timedOut());
  }

  /**
   * Runs a step, now or when its limit lets it.
   *
   * @param item number of the item it runs for, or {@link #NO_ITEM}
   * @param inputs asked for once, when the step is about to run; never if the request is over then
   * @param done gets the outputs, later, unless the request is over
   */
  void run(PlannedStep step, int item, Supplier<List<Tensor>> inputs, Consumer<List<Tensor>> done) {
    StepLimit limit = ensemble.limits().get(step.index());
    switch (limit.enter(reply, () -> launch(step, item, inputs, done))) {
      case RUNS -> launch(step, item, inputs, done);
      case FULL ->
          fail(
              where(step, item),
              new InferenceException(
                  ErrorCode.QUEUE_FULL,
                  StepLimit.MAX_WAITING + " requests wait for this step already"));
      case WAITS -> {}
    }
  }

  /** Runs work that is none of the steps, on the workers of steps; takes over the inputs. */
  void work(String where, Step work, List<Tensor> inputs, Consumer<List<Tensor>> done) {
    stage
        .run(work, inputs, reply)
        .onComplete(
            outputs -> deliver(where, outputs, done), failure -> fail(where, asFailure(failure)));
  }

  /**
   * Ends the request.
   *
   * @param where the step, for the message
   */
  void fail(String where, InferenceException failure) {
    if (!over
        && reply.fail(
            new InferenceException(
                code(failure),
                "ensemble '%s': %s: %s".formatted(served.name(), where, failure.getMessage()),
                failure.reason(),
                failure.retryAfterNs()))
        && failure.code() == ErrorCode.EXECUTION_FAILED) {
      served.stats().onFailure(ModelStats.Reason.BACKEND, System.nanoTime() - arrivalNs);
    }
  }

  /** Runs a step that its limit has let in; one that cannot begin gives its place back. */
  private void launch(
      PlannedStep step, int item, Supplier<List<Tensor>> inputs, Consumer<List<Tensor>> done) {
    try {
      begin(step, item, inputs, done);
    } catch (RuntimeException e) {
      ensemble.limits().get(step.index()).leave();
      fail(where(step, item), asFailure(e));
    }
  }

  private void begin(
      PlannedStep step, int item, Supplier<List<Tensor>> inputs, Consumer<List<Tensor>> done) {
    StepLimit limit = ensemble.limits().get(step.index());
    long timeoutMicros = call.timeoutMicros();
    if (timeoutMicros > 0) {
      timeoutMicros -= TimeUnit.NANOSECONDS.toMicros(System.nanoTime() - arrivalNs);
    }
    if (isOver()) {
      limit.leave();
    } else if (call.timeoutMicros() > 0 && timeoutMicros <= 0) {
      limit.leave();
      fail(where(step, item), timedOut());
    } else if (step.step().isPresent()) {
      stage
          .run(step.step().get(), inputs.get(), reply)
          .onComplete(
              outputs -> {
                limit.leave();
                deliver(where(step, item), outputs, done);
              },
              failure -> {
                limit.leave();
                fail(where(step, item), asFailure(failure));
              });
    } else {
      infer(step, item, timeoutMicros, inputs.get(), done);
    }
  }

  private void infer(
      PlannedStep step,
      int item,
      long timeoutMicros,
      List<Tensor> inputs,
      Consumer<List<Tensor>> done) {
    InferCall inner =
        new InferCall(
            step.model(),
            version(step),
            inputs,
            call.priority(),
            timeoutMicros,
            call.deadlineNs(),
            call.tenant(),
            call.trace());
    UnderWay request = new UnderWay(step, item, done);
    request.path = gateway.infer(inner, request);
    request.after = first;
    if (first != null) {
      first.before = request;
    }
    first = request;
  }

  /** What comes next must not throw past here: the request would never end. */
  private void deliver(String where, List<Tensor> outputs, Consumer<List<Tensor>> done) {
    if (over) {
      outputs.forEach(Tensor::close);
      return;
    }
    try {
      done.accept(outputs);
    } catch (RuntimeException e) {
      fail(where, asFailure(e));
    }
  }

  private static InferenceException timedOut() {
    return new InferenceException(ErrorCode.DEADLINE_EXCEEDED, "Request timeout expired");
  }

  private static String version(PlannedStep step) {
    return step.version() == EnsembleConfig.LATEST ? "" : Long.toString(step.version());
  }

  private static String where(PlannedStep step, int item) {
    return item == NO_ITEM ? step.label() : step.label() + ", item " + item;
  }

  /** The client asked for the ensemble, which is there. */
  private static ErrorCode code(InferenceException failure) {
    return failure.code() == ErrorCode.NOT_FOUND ? ErrorCode.UNAVAILABLE : failure.code();
  }

  private static InferenceException asFailure(@Nullable Throwable failure) {
    return failure instanceof InferenceException e
        ? e
        : new InferenceException(ErrorCode.EXECUTION_FAILED, String.valueOf(failure));
  }

  /** A step that is a request of a model; all of them are a list, which costs no hashing. */
  private final class UnderWay implements ReplyTo.Handler {

    private final PlannedStep step;
    private final int item;
    private final Consumer<List<Tensor>> done;
    private @Nullable ReplyTo path;
    private @Nullable UnderWay before;
    private @Nullable UnderWay after;

    UnderWay(PlannedStep step, int item, Consumer<List<Tensor>> done) {
      this.step = step;
      this.item = item;
      this.done = done;
    }

    boolean giveUp() {
      return path != null
          && path.fail(new InferenceException(ErrorCode.CANCELLED, "the request is over"));
    }

    @Override
    public void handle(@Nullable InferenceResponse response, @Nullable InferenceException failure) {
      leave();
      ensemble.limits().get(step.index()).leave();
      if (response == null) {
        fail(where(step, item), asFailure(failure));
      } else {
        deliver(where(step, item), response.outputs(), done);
      }
    }

    private void leave() {
      if (before != null) {
        before.after = after;
      } else if (first == this) {
        first = after;
      }
      if (after != null) {
        after.before = before;
      }
    }
  }
}
