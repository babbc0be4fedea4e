package dev.conveyor.verticles;

import dev.conveyor.memory.BlockAllocator;
import dev.conveyor.memory.BufferPool;
import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.config.Isolation;
import dev.conveyor.scheduler.Addresses;
import dev.conveyor.scheduler.InferenceRequest;
import dev.conveyor.scheduler.ReplyTo;
import dev.conveyor.scheduler.SchedulerCommand;
import dev.conveyor.scheduler.rollout.RolloutGuard;
import dev.conveyor.verticles.ensemble.Ensemble;
import dev.conveyor.verticles.ensemble.EnsembleRun;
import dev.conveyor.verticles.ensemble.StepStage;
import dev.conveyor.verticles.rollout.TrialTraffic;
import io.vertx.core.Context;
import io.vertx.core.Vertx;
import io.vertx.core.eventbus.DeliveryOptions;
import io.vertx.core.internal.ContextInternal;
import java.util.List;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;

/**
 * The gateway of this server: wait for the model if it is cold, check, preprocess where the model
 * takes images, submit.
 *
 * <p>Thread-safe: no state but which requests are on their way to the scheduler.
 */
public final class LocalGateway implements InferenceGateway {

  /** A model that was loaded for a request and is gone again was unloaded by an operator. */
  private static final int MAX_WAITS = 2;

  private static final DeliveryOptions LOCAL = new DeliveryOptions().setLocalOnly(true);

  private final Vertx vertx;
  private final ModelCatalog catalog;
  private final ColdRequests cold;
  private final StepStage steps;
  private final TrialTraffic trials;
  private final UnderWay underWay = new UnderWay();

  /** Creates a gateway to models that are all loaded. */
  public LocalGateway(Vertx vertx, ModelCatalog catalog) {
    this(
        vertx,
        catalog,
        ModelActivator.NONE,
        new StepStage(vertx, 1),
        new BufferPool(BlockAllocator.host(), Long.MAX_VALUE),
        TrialTraffic.Listener.NONE);
  }

  /**
   * Creates a gateway.
   *
   * @param steps where steps of ensembles run that need no model
   * @param memory of all requests under way
   * @param rollbacks told when a version that was tried is taken out of service
   */
  public LocalGateway(
      Vertx vertx,
      ModelCatalog catalog,
      ModelActivator activator,
      StepStage steps,
      BufferPool memory,
      TrialTraffic.Listener rollbacks) {
    this.steps = steps;
    this.vertx = vertx;
    this.catalog = catalog;
    this.cold = new ColdRequests(vertx, activator);
    this.trials = new TrialTraffic(catalog, this::inferVersion, memory, rollbacks);
  }

  @Override
  public ReplyTo infer(InferCall call, ReplyTo.Handler handler) {
    RolloutGuard guard = call.version().isEmpty() ? catalog.rollout(call.model()) : null;
    return guard == null
        ? inferVersion(call, handler)
        : trials.infer(guard, call.withOutputsOnHost(), handler);
  }

  /**
   * Where two versions are tried, nobody knows which one it will be; and what is on a device is not
   * there for the processes of others.
   */
  @Override
  public boolean runsOnlyOn(Predicate<String> devices, String model, String version) {
    try {
      return (!version.isEmpty() || catalog.rollout(model) == null)
          && sharesDevices(catalog.find(model, version), devices);
    } catch (InferenceException unloaded) {
      return false;
    }
  }

  private static boolean sharesDevices(ServedModel model, Predicate<String> devices) {
    return model.config().isolation() != Isolation.PROCESS && model.instances().isOnlyOn(devices);
  }

  private ReplyTo inferVersion(InferCall call, ReplyTo.Handler handler) {
    final long arrivalNs = System.nanoTime();
    // A request has a context of its own; its event loop's is the one that answers can share.
    Context context = ((ContextInternal) vertx.getOrCreateContext()).unwrap();
    ServedModel model;
    try {
      model = catalog.find(call.model(), call.version());
    } catch (InferenceException e) {
      ReplyTo refused = new ReplyTo(context, handler);
      call.inputs().forEach(Tensor::close);
      refused.fail(e);
      return refused;
    }
    if (model.ensemble() != null) {
      return inferEnsemble(model, call, arrivalNs, context, handler);
    }
    ReplyTo.Handler counted = new CountedOutcome(model.stats(), arrivalNs, handler);
    ReplyTo reply =
        new ReplyTo(context, model.isEvictable() ? model.usage().counting(counted) : counted);
    enter(model, call, arrivalNs, reply, 0);
    return reply;
  }

  @Override
  public void onGivenUp(String model) {
    vertx.eventBus().send(Addresses.CANCELLED, model, LOCAL);
  }

  /** The grace period is nearly over: whoever waits is told that the server stops. */
  void answerAll() {
    vertx.eventBus().send(Addresses.CONTROL, new SchedulerCommand.AnswerAll(), LOCAL);
    underWay.answerAll();
  }

  private ReplyTo inferEnsemble(
      ServedModel found, InferCall call, long arrivalNs, Context context, ReplyTo.Handler handler) {
    ServedModel model = found;
    Ensemble ensemble = model.ensemble();
    try {
      while (ensemble != null && !model.entrance().enter()) {
        // It was replaced in the catalog before its entrance was closed.
        model = catalog.find(call.model(), call.version());
        ensemble = model.ensemble();
      }
    } catch (InferenceException e) {
      ReplyTo refused = new ReplyTo(context, handler);
      call.inputs().forEach(Tensor::close);
      refused.fail(e);
      return refused;
    }
    if (ensemble == null) {
      return infer(call, handler); // by now there is another kind of model under this name
    }
    ServedModel entered = model;
    EnsembleRun run = new EnsembleRun(entered, ensemble, call, arrivalNs, this, steps);
    ReplyTo reply =
        new ReplyTo(
            context,
            new CountedOutcome(
                entered.stats(),
                arrivalNs,
                (response, failure) -> {
                  run.end();
                  entered.entrance().leave();
                  handler.handle(response, failure);
                }));
    InputCheck.Checked checked;
    try {
      checked = entered.inputCheck().check(call.inputs());
      EnsembleDoor.reconsider(entered, call, arrivalNs);
    } catch (InferenceException e) {
      call.inputs().forEach(Tensor::close);
      reply.fail(e);
      return reply;
    }
    try {
      call.arrived(checked.inputs());
      underWay.add(reply);
      run.start(checked.inputs(), checked.batchSize(), reply);
      if (!reply.isDone()) {
        run.expireInTime(vertx);
      }
    } catch (RuntimeException e) {
      // Whatever it was: a request without an answer would keep the ensemble from ever stopping.
      reply.fail(new InferenceException(ErrorCode.EXECUTION_FAILED, String.valueOf(e)));
    }
    return reply;
  }

  /**
   * Enters the version, which keeps it until the request is with the scheduler; waits for it if it
   * is cold.
   */
  private void enter(ServedModel found, InferCall call, long arrivalNs, ReplyTo reply, int waits) {
    ServedModel model = found;
    try {
      while (model.isLoaded() && !model.entrance().enter()) {
        // It was replaced in the catalog before its entrance was closed.
        model = catalog.find(call.model(), call.version());
      }
    } catch (InferenceException e) {
      call.inputs().forEach(Tensor::close);
      reply.fail(e);
      return;
    }
    if (model.isLoaded()) {
      checked(model, call, arrivalNs, reply);
    } else if (waits < MAX_WAITS) {
      ServedModel waitedFor = model;
      cold.await(
          waitedFor,
          call,
          arrivalNs,
          reply,
          () -> enterLoaded(call, arrivalNs, reply, waits + 1),
          refusal -> reply.fail(refusal));
    } else {
      call.inputs().forEach(Tensor::close);
      reply.fail(unloadedAgain(call));
    }
  }

  private void enterLoaded(InferCall call, long arrivalNs, ReplyTo reply, int waits) {
    ServedModel model;
    try {
      model = catalog.find(call.model(), call.version());
    } catch (InferenceException e) {
      call.inputs().forEach(Tensor::close);
      reply.fail(e);
      return;
    }
    enter(model, call, arrivalNs, reply, waits);
  }

  private static InferenceException unloadedAgain(InferCall call) {
    return new InferenceException(
        ErrorCode.UNAVAILABLE, "Model '" + call.model() + "' was unloaded while the request came");
  }

  /** Takes a request into a version that it has entered. */
  private void checked(ServedModel model, InferCall call, long arrivalNs, ReplyTo reply) {
    boolean decoding = false;
    try {
      InputCheck.Checked checked = model.inputCheck().check(call.inputs());
      if (model.images().applyTo(checked.inputs())) {
        preprocess(model, call, checked, arrivalNs, reply);
        decoding = true;
      } else {
        submit(model, call, checked, UnaryOperator.identity(), arrivalNs, 0, reply);
      }
    } catch (RuntimeException e) {
      call.inputs().forEach(Tensor::close);
      reply.fail(asRefusal(e));
    } finally {
      if (!decoding) {
        model.entrance().leave();
      }
    }
  }

  private void preprocess(
      ServedModel model,
      InferCall call,
      InputCheck.Checked checked,
      long arrivalNs,
      ReplyTo reply) {
    underWay.add(reply);
    model
        .images()
        .preprocess(
            checked.inputs(),
            reply,
            () -> FrontDoor.reconsider(model, checked.batchSize(), call, arrivalNs))
        .onComplete(
            prepared -> {
              long preprocessNs = System.nanoTime() - arrivalNs;
              try {
                InputCheck.Checked ready = model.inputCheck().decoded(checked, prepared.inputs());
                submit(
                    model,
                    prepared.readsOutputs() ? call.withOutputsOnHost() : call,
                    ready,
                    prepared.outputs(),
                    arrivalNs,
                    preprocessNs,
                    reply);
              } catch (RuntimeException e) {
                prepared.inputs().forEach(Tensor::close);
                reply.fail(asRefusal(e));
              }
            },
            failure -> reply.fail(asRefusal(failure)))
        .onComplete(done -> model.entrance().leave());
  }

  private void submit(
      ServedModel model,
      InferCall call,
      InputCheck.Checked checked,
      UnaryOperator<List<Tensor>> outputs,
      long arrivalNs,
      long preprocessNs,
      ReplyTo reply) {
    List<Tensor> inputs = checked.inputs();
    call.arrived(inputs);
    InferenceRequest request =
        InferenceRequest.of(
                model.name(), model.deployedVersion(), model.reshaping().toModel(inputs), reply)
            .batchSize(checked.batchSize())
            .priority(call.priority())
            .timeoutMicros(call.timeoutMicros())
            .arrivalNs(arrivalNs)
            .preprocessNs(preprocessNs)
            .deadlineNs(call.deadlineNs())
            .shapeKey(checked.shapeKey())
            .tenant(call.tenant())
            .trace(call.trace())
            .outputs(model.reshaping().after(outputs))
            .staying(model.config().extensions().rejectNonFinite() ? null : call.staying())
            .build();
    vertx.eventBus().send(Addresses.SUBMIT, request, LOCAL);
  }

  private static InferenceException asRefusal(Throwable failure) {
    return failure instanceof InferenceException e
        ? e
        : InferenceException.invalid(String.valueOf(failure.getMessage()));
  }
}
