package dev.conveyor.verticles.ensemble;

import dev.conveyor.models.Rows;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.ensemble.EnsemblePlan;
import dev.conveyor.scheduler.InferenceRequest;
import dev.conveyor.scheduler.InferenceResponse;
import dev.conveyor.scheduler.ReplyTo;
import dev.conveyor.verticles.InferCall;
import dev.conveyor.verticles.InferenceGateway;
import dev.conveyor.verticles.ServedModel;
import io.vertx.core.Timer;
import io.vertx.core.Vertx;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * One request on its way through an ensemble. Every step whose tensors are there goes into the line
 * as a request of its model, to be batched with those of others; so does every item of a fan-out.
 *
 * <p>Thread-confined: the context of the request, where all its answers arrive; so it needs no
 * lock. {@link StepCalls} runs the steps, {@link Pass} knows which come when, {@link Items} are the
 * passes of a fan-out.
 */
public final class EnsembleRun {

  private final ServedModel served;
  private final Ensemble ensemble;
  private final InferCall call;
  private final long arrivalNs;
  private final InferenceGateway gateway;
  private final StepStage stage;
  private final Deadlines deadlines;
  private @Nullable StepCalls calls;
  private @Nullable Pass pass;
  private @Nullable Timer expiry;
  private @Nullable Timer objective;
  private boolean started;

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
    this.call = call;
    this.arrivalNs = arrivalNs;
    this.gateway = gateway;
    this.stage = stage;
    this.deadlines =
        Deadlines.of(
            call, arrivalNs, served.config().extensions().serviceLevel().latencyObjective());
  }

  /**
   * Begins.
   *
   * @param inputs checked, in the order of the plan; taken over
   * @param items batch size of the request
   */
  public void start(List<Tensor> inputs, int items, ReplyTo reply) {
    StepCalls steps =
        new StepCalls(served, ensemble, call, arrivalNs, gateway, stage, reply, deadlines);
    Pass whole =
        new Pass(
            steps,
            ensemble.plan().graph(),
            StepCalls.NO_ITEM,
            outputs -> finish(outputs, items, reply));
    calls = steps;
    pass = whole;
    List<@Nullable Tensor> given = new ArrayList<>(inputs.size());
    given.addAll(inputs);
    whole.start(given, false);
    started = true;
  }

  /**
   * Ends the request when its client stops waiting, whatever the queue policies of the models say:
   * an ensemble has no queue, and without an end it could wait for a step for ever. On the context
   * of the request, after {@link #start}.
   */
  public void expireInTime(Vertx vertx) {
    StepCalls steps = calls;
    if (steps == null) {
      return;
    }
    if (deadlines.ownNs() != InferenceRequest.NO_DEADLINE) {
      expiry = at(vertx, deadlines.ownNs(), steps::expire);
    }
    if (deadlines.hasObjective()) {
      objective = at(vertx, deadlines.objectiveNs(), steps::refuseWaiting);
    }
  }

  private static Timer at(Vertx vertx, long timeNs, Runnable then) {
    Timer timer = vertx.timer(Math.max(1, timeNs - System.nanoTime()), TimeUnit.NANOSECONDS);
    timer.onSuccess(over -> then.run());
    return timer;
  }

  /** The request is over, well or not: what still runs for it is called off. On its context. */
  public void end() {
    if (expiry != null) {
      expiry.cancel();
    }
    if (objective != null) {
      objective.cancel();
    }
    if (calls != null && pass != null) {
      calls.end();
      pass.end();
    }
  }

  private void finish(List<Optional<Tensor>> given, int items, ReplyTo reply) {
    EnsemblePlan plan = ensemble.plan();
    List<Tensor> outputs = new ArrayList<>(given.size());
    for (int i = 0; i < given.size(); i++) {
      TensorSpec spec = plan.signature().outputs().get(i);
      outputs.add(given.get(i).orElseGet(() -> Rows.none(spec)));
    }
    long tookNs = System.nanoTime() - arrivalNs;
    InferenceResponse response = new InferenceResponse(served.name(), served.version(), outputs);
    Runnable count = () -> served.countAnswer(items, 0, 0, tookNs);
    if (started) {
      // This is the context of the request; who asked may not expect an answer while asking.
      if (!reply.succeedHere(response, count)) {
        response.close();
      }
    } else if (reply.succeed(response)) {
      count.run();
    } else {
      response.close();
    }
  }
}
