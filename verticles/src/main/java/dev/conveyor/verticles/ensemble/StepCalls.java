package dev.conveyor.verticles.ensemble;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.config.EnsembleConfig;
import dev.conveyor.models.ensemble.PlannedStep;
import dev.conveyor.models.steps.Step;
import dev.conveyor.scheduler.ReplyTo;
import dev.conveyor.verticles.InferCall;
import dev.conveyor.verticles.InferenceGateway;
import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.metrics.HandOver;
import io.vertx.core.Future;
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

  /** Smaller tensors of whole requests count for nothing, as smaller bodies do. */
  private static final int SMALL_BYTES = 16 * 1024;

  private final ServedModel served;
  private final Ensemble ensemble;
  private final InferCall call;
  private final long arrivalNs;
  private final InferenceGateway gateway;
  private final StepStage stage;
  private final ReplyTo reply;
  private final Deadlines deadlines;
  private @Nullable StepCall latest;
  private boolean over;

  StepCalls(
      ServedModel served,
      Ensemble ensemble,
      InferCall call,
      long arrivalNs,
      InferenceGateway gateway,
      StepStage stage,
      ReplyTo reply,
      Deadlines deadlines) {
    this.served = served;
    this.ensemble = ensemble;
    this.call = call;
    this.arrivalNs = arrivalNs;
    this.gateway = gateway;
    this.stage = stage;
    this.reply = reply;
    this.deadlines = deadlines;
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
    if (latest == null) {
      return;
    }
    Set<String> givenUp = new HashSet<>();
    for (StepCall next = latest; next != null; next = next.earlier()) {
      if (next.giveUp()) {
        givenUp.add(next.step().model());
      }
    }
    givenUp.forEach(gateway::onGivenUp);
  }

  /** The client waits no longer; the message names the step that was begun last. */
  void expire() {
    fail(latest == null ? "between steps" : latest.where(), Deadlines.timedOut());
  }

  /** The objective is over: a step that still waits for its turn is not begun any more. */
  void refuseWaiting() {
    for (StepCall next = latest; next != null; next = next.earlier()) {
      if (next.waits()) {
        fail(next.where(), deadlines.objectiveOver(System.nanoTime()));
        return;
      }
    }
  }

  /**
   * Runs a step, now or when its limit lets it.
   *
   * @param item number of the item it runs for, or {@link #NO_ITEM}
   * @param inputs asked for once, when the step is about to run; never if the request is over then
   * @param done gets the outputs, later, unless the request is over
   */
  void run(PlannedStep step, int item, Supplier<StepInputs> inputs, Consumer<List<Tensor>> done) {
    StepCall next =
        new StepCall(this, step, item, inputs, done, ensemble.limits().get(step.index()));
    InferenceException late = late();
    if (late != null) {
      fail(next.where(), late);
      return;
    }
    StepCall before = latest;
    latest = next;
    next.enter(reply, before);
  }

  /** Returns why no step may be begun any more, or null. */
  @Nullable InferenceException late() {
    return deadlines.over();
  }

  /** The steps that are not at their end begin with this one now. */
  void latest(@Nullable StepCall call) {
    latest = call;
  }

  /** Makes a step a request of its model. */
  ReplyTo infer(PlannedStep step, StepInputs inputs, ReplyTo.Handler handler) {
    long timeoutMicros = call.timeoutMicros();
    if (timeoutMicros > 0) {
      long tookMicros = TimeUnit.NANOSECONDS.toMicros(System.nanoTime() - arrivalNs);
      timeoutMicros = Math.max(1, timeoutMicros - tookMicros);
    }
    InferCall inner =
        new InferCall(
            step.model(),
            version(step),
            inputs.tensors(),
            call.priority(),
            timeoutMicros,
            deadlines.ofStepsNs(),
            call.tenant(),
            call.trace(),
            received -> inputs.arrived(received, ensemble.handOver()),
            ensemble.readers().anyByModelsOnly(step)
                ? (device, output) -> mayStay(step, device, output)
                : null);
    return gateway.infer(inner, handler);
  }

  /** Returns whether a step's output on that device is read by devices only. On any thread. */
  private boolean mayStay(PlannedStep step, String device, String output) {
    return ensemble
        .readers()
        .mayStay(
            step,
            output,
            reader ->
                reader.step().isPresent()
                    ? stage.worksOn(device)
                    : gateway.runsOnlyOn(
                        there -> stage.reads(there, device), reader.model(), version(reader)));
  }

  /** Runs a step on a worker; takes over the inputs. */
  Future<List<Tensor>> onWorker(PlannedStep step, Step work, StepInputs inputs) {
    inputs.arrived(inputs.tensors(), ensemble.handOver());
    ServedModel described = ensemble.builtIn().get(step.model());
    return stage.run(
        work,
        inputs.tensors(),
        new StepStage.Request(reply, deadlines, ensemble.shares()),
        described == null ? null : new StepMeter(described.stats(), items(step, inputs.tensors())),
        (device, output) -> mayStay(step, device, output));
  }

  private static int items(PlannedStep step, List<Tensor> inputs) {
    Shape shape = inputs.isEmpty() ? Shape.of() : inputs.get(0).shape();
    boolean batched = step.signature().batches() && shape.rank() > 0;
    return batched ? (int) Math.min(Integer.MAX_VALUE, shape.dim(0)) : 1;
  }

  /** Runs work that is none of the steps, on the workers of steps; takes over the inputs. */
  void work(String where, Step work, List<Tensor> inputs, Consumer<List<Tensor>> done) {
    stage
        .run(work, inputs, new StepStage.Request(reply, Deadlines.NONE, ensemble.shares()))
        .onComplete(
            outputs -> deliver(where, outputs, done), failure -> fail(where, asFailure(failure)));
  }

  /** Runs work that is none of the steps, and little, at once; the caller closes the inputs. */
  List<Tensor> workHere(Step work, List<Tensor> inputs) {
    return stage.resources().run(work, inputs);
  }

  /**
   * Ends the request.
   *
   * @param where the step, for the message
   */
  void fail(String where, InferenceException cause) {
    InferenceException failure = deadlines.inSteps(cause, System.nanoTime());
    if (!over) {
      reply.fail(
          new InferenceException(
              code(failure),
              in(where) + ": " + failure.getMessage(),
              failure.reason(),
              failure.retryAfterNs()));
    }
  }

  /** Returns the name of a place in this ensemble. */
  String in(String where) {
    return "ensemble '" + served.name() + "': " + where;
  }

  /** Returns the trace of the request as the end of a line of the log. */
  String traced() {
    return call.trace().isEmpty() ? "" : ", traceparent " + call.trace();
  }

  /** What comes next must not throw past here: the request would never end. */
  void deliver(String where, List<Tensor> outputs, Consumer<List<Tensor>> done) {
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

  /**
   * Counts what a model gave as memory of requests. How many small tensors there are is bounded by
   * the number of requests, but not where each has any number of items.
   */
  List<Tensor> counted(List<Tensor> outputs, int item) {
    return stage.counted(outputs, item == NO_ITEM ? SMALL_BYTES : 1);
  }

  private static String version(PlannedStep step) {
    return step.version() == EnsembleConfig.LATEST ? "" : Long.toString(step.version());
  }

  /** The client asked for the ensemble, which is there. */
  private static ErrorCode code(InferenceException failure) {
    return failure.code() == ErrorCode.NOT_FOUND ? ErrorCode.UNAVAILABLE : failure.code();
  }

  static InferenceException asFailure(@Nullable Throwable failure) {
    return failure instanceof InferenceException e
        ? e
        : new InferenceException(ErrorCode.EXECUTION_FAILED, String.valueOf(failure));
  }
}
