package dev.conveyor.verticles.ensemble;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.config.EnsembleConfig;
import dev.conveyor.models.ensemble.EnsemblePlan;
import dev.conveyor.models.ensemble.EnsemblePlan.Binding;
import dev.conveyor.models.ensemble.EnsemblePlan.PlannedStep;
import dev.conveyor.models.ensemble.Progress;
import dev.conveyor.scheduler.InferenceResponse;
import dev.conveyor.scheduler.ReplyTo;
import dev.conveyor.verticles.InferCall;
import dev.conveyor.verticles.InferenceGateway;
import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.metrics.ModelStats;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * One request on its way through an ensemble. Every step whose tensors are there goes into the line
 * as a request of its model, to be batched with those of others; what it gives is handed on by
 * reference, shared where several want it.
 *
 * <p>Thread-confined: the context of the request, where all its answers arrive; so it needs no
 * lock. Invariant: a slot holds a tensor from when a step gives it until its last reader takes it.
 */
public final class EnsembleRun {

  private final ServedModel served;
  private final Ensemble ensemble;
  private final EnsemblePlan plan;
  private final InferCall call;
  private final long arrivalNs;
  private final InferenceGateway gateway;
  private final StepStage stage;
  private final Progress progress;
  private final @Nullable Tensor[] slots;
  private final boolean[] fromStep;
  private final int[] uses;
  private final Set<ReplyTo> underWay = new HashSet<>();
  private boolean over;

  /**
   * Prepares a run.
   *
   * @param arrivalNs when the front end had the whole request
   */
  public EnsembleRun(
      ServedModel served,
      Ensemble ensemble,
      InferCall call,
      long arrivalNs,
      InferenceGateway gateway,
      StepStage stage) {
    this.served = served;
    this.ensemble = ensemble;
    this.plan = ensemble.plan();
    this.call = call;
    this.arrivalNs = arrivalNs;
    this.gateway = gateway;
    this.stage = stage;
    this.progress = new Progress(plan);
    this.slots = new Tensor[plan.uses().size()];
    this.fromStep = new boolean[slots.length];
    this.uses = plan.uses().stream().mapToInt(Integer::intValue).toArray();
  }

  /**
   * Begins.
   *
   * @param inputs checked, in the order of the plan; taken over
   * @param items batch size of the request
   */
  public void start(List<Tensor> inputs, int items, ReplyTo reply) {
    for (int i = 0; i < inputs.size(); i++) {
      put(plan.inputs().get(i).slot(), inputs.get(i));
    }
    advance(progress.start(), items, reply);
  }

  /** The request is over, well or not: what still runs for it is called off. On its context. */
  public void end() {
    over = true;
    for (ReplyTo step : List.copyOf(underWay)) {
      step.fail(new InferenceException(ErrorCode.CANCELLED, "the request is over"));
    }
    for (int slot = 0; slot < slots.length; slot++) {
      Tensor left = slots[slot];
      if (left != null) {
        left.close();
        slots[slot] = null;
      }
    }
  }

  private void advance(List<PlannedStep> ready, int items, ReplyTo reply) {
    if (progress.isFinished()) {
      finish(items, reply);
      return;
    }
    for (PlannedStep step : ready) {
      StepLimit limit = ensemble.limits().get(step.index());
      switch (limit.enter(reply, () -> launch(step, items, reply))) {
        case RUNS -> launch(step, items, reply);
        case FULL ->
            fail(
                step,
                new InferenceException(
                    ErrorCode.QUEUE_FULL,
                    StepLimit.MAX_WAITING + " requests wait for this step already"),
                reply);
        case WAITS -> {}
      }
    }
  }

  private void launch(PlannedStep step, int items, ReplyTo reply) {
    StepLimit limit = ensemble.limits().get(step.index());
    long timeoutMicros = call.timeoutMicros();
    if (timeoutMicros > 0) {
      timeoutMicros -= TimeUnit.NANOSECONDS.toMicros(System.nanoTime() - arrivalNs);
    }
    if (over || reply.isDone()) {
      limit.leave();
    } else if (call.timeoutMicros() > 0 && timeoutMicros <= 0) {
      limit.leave();
      fail(
          step,
          new InferenceException(ErrorCode.DEADLINE_EXCEEDED, "Request timeout expired"),
          reply);
    } else if (step.step().isPresent()) {
      stage
          .run(step.step().get(), take(step), reply)
          .onComplete(
              outputs -> {
                limit.leave();
                done(step, outputs, items, reply);
              },
              failure -> {
                limit.leave();
                fail(step, asFailure(failure), reply);
              });
    } else {
      infer(step, limit, timeoutMicros, items, reply);
    }
  }

  private void infer(
      PlannedStep step, StepLimit limit, long timeoutMicros, int items, ReplyTo reply) {
    String version = step.version() == EnsembleConfig.LATEST ? "" : Long.toString(step.version());
    InferCall inner =
        new InferCall(
            step.model(),
            version,
            take(step),
            call.priority(),
            timeoutMicros,
            call.deadlineNs(),
            call.tenant());
    ReplyTo[] path = new ReplyTo[1];
    path[0] =
        gateway.infer(
            inner,
            (response, failure) -> {
              underWay.remove(path[0]);
              limit.leave();
              if (response == null) {
                fail(step, asFailure(failure), reply);
              } else {
                done(step, response.outputs(), items, reply);
              }
            });
    underWay.add(path[0]);
  }

  /** Takes what a step reads out of the slots, the last reader the tensor itself. */
  private List<Tensor> take(PlannedStep step) {
    List<Tensor> inputs = new ArrayList<>(step.inputs().size());
    for (Binding binding : step.inputs()) {
      Tensor tensor = take(binding);
      inputs.add(tensor);
    }
    return inputs;
  }

  private Tensor take(Binding binding) {
    int slot = binding.slot();
    Tensor held = slots[slot];
    if (held == null) {
      throw new IllegalStateException("nothing in slot " + slot + " for " + binding.name());
    }
    Tensor taken = held;
    uses[slot]--;
    if (uses[slot] == 0) {
      slots[slot] = null;
    } else {
      Tensor share = held.tryShare();
      if (share == null) {
        throw new IllegalStateException(held + " was closed by a step that did not own it");
      }
      taken = share;
    }
    Tensor renamed = taken.renamed(binding.name());
    if (fromStep[slot]) {
      ensemble.handOver().count(held, renamed);
    }
    return renamed;
  }

  private void put(int slot, Tensor tensor) {
    if (uses[slot] == 0) {
      tensor.close();
    } else {
      slots[slot] = tensor;
    }
  }

  private void done(PlannedStep step, List<Tensor> outputs, int items, ReplyTo reply) {
    if (over) {
      outputs.forEach(Tensor::close);
      return;
    }
    for (Tensor output : outputs) {
      Binding binding = find(step.outputs(), output.name());
      if (binding == null) {
        output.close();
      } else {
        fromStep[binding.slot()] = true;
        put(binding.slot(), output);
      }
    }
    advance(progress.done(step), items, reply);
  }

  private void finish(int items, ReplyTo reply) {
    List<Tensor> outputs = new ArrayList<>(plan.outputs().size());
    for (Binding binding : plan.outputs()) {
      fromStep[binding.slot()] = false; // goes to the client, not to a step
      outputs.add(take(binding));
    }
    long tookNs = System.nanoTime() - arrivalNs;
    InferenceResponse response = new InferenceResponse(served.name(), served.version(), outputs);
    if (reply.succeed(response)) {
      served.stats().onSuccess(items, 0, 0, tookNs);
    } else {
      response.close();
    }
  }

  private void fail(PlannedStep step, InferenceException failure, ReplyTo reply) {
    if (!over
        && reply.fail(
            new InferenceException(
                code(failure),
                "ensemble '%s': %s: %s"
                    .formatted(served.name(), step.label(), failure.getMessage()),
                failure.reason(),
                failure.retryAfterNs()))
        && failure.code() == ErrorCode.EXECUTION_FAILED) {
      served.stats().onFailure(ModelStats.Reason.BACKEND, System.nanoTime() - arrivalNs);
    }
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

  private static @Nullable Binding find(List<Binding> bindings, String name) {
    for (Binding binding : bindings) {
      if (binding.name().equals(name)) {
        return binding;
      }
    }
    return null;
  }
}
