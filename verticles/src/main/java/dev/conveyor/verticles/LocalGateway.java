package dev.conveyor.verticles;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Tensor;
import dev.conveyor.scheduler.Addresses;
import dev.conveyor.scheduler.InferenceRequest;
import dev.conveyor.scheduler.ReplyTo;
import dev.conveyor.verticles.metrics.ModelStats;
import io.vertx.core.Context;
import io.vertx.core.Vertx;
import io.vertx.core.eventbus.DeliveryOptions;
import io.vertx.core.internal.ContextInternal;
import java.util.List;

/**
 * The gateway of this server: check, preprocess where the model takes images, submit.
 *
 * <p>Thread-safe: no state of its own.
 */
public final class LocalGateway implements InferenceGateway {

  private static final DeliveryOptions LOCAL = new DeliveryOptions().setLocalOnly(true);

  private final Vertx vertx;
  private final ModelCatalog catalog;

  public LocalGateway(Vertx vertx, ModelCatalog catalog) {
    this.vertx = vertx;
    this.catalog = catalog;
  }

  @Override
  public ReplyTo infer(InferCall call, ReplyTo.Handler handler) {
    final long arrivalNs = System.nanoTime();
    // A request has a context of its own; its event loop's is the one that answers can share.
    Context context = ((ContextInternal) vertx.getOrCreateContext()).unwrap();
    ServedModel model;
    try {
      model = enter(call);
    } catch (InferenceException e) {
      call.inputs().forEach(Tensor::close);
      ReplyTo refused = new ReplyTo(context, handler);
      refused.fail(e);
      return refused;
    }
    ReplyTo reply = new ReplyTo(context, new CountedOutcome(model.stats(), arrivalNs, handler));
    boolean decoding = false;
    try {
      InputCheck.Checked checked = model.inputCheck().check(call.inputs());
      if (model.images().applyTo(checked.inputs())) {
        decoding = true;
        preprocess(model, call, checked, arrivalNs, reply);
      } else {
        submit(model, call, checked, arrivalNs, 0, reply);
      }
    } catch (InferenceException e) {
      call.inputs().forEach(Tensor::close);
      refuse(model, reply, e, arrivalNs);
    } finally {
      if (!decoding) {
        model.entrance().leave();
      }
    }
    return reply;
  }

  /** Finds the version and enters it, which keeps it until the request is with the scheduler. */
  private ServedModel enter(InferCall call) {
    ServedModel model = catalog.find(call.model(), call.version());
    while (!model.entrance().enter()) {
      // It was replaced in the catalog before its entrance was closed.
      model = catalog.find(call.model(), call.version());
    }
    return model;
  }

  private void preprocess(
      ServedModel model,
      InferCall call,
      InputCheck.Checked checked,
      long arrivalNs,
      ReplyTo reply) {
    model
        .images()
        .preprocess(checked.inputs(), reply)
        .onComplete(
            tensors -> {
              long preprocessNs = System.nanoTime() - arrivalNs;
              InputCheck.Checked ready =
                  new InputCheck.Checked(tensors, checked.batchSize(), checked.shapeKey());
              submit(model, call, ready, arrivalNs, preprocessNs, reply);
            },
            failure -> {
              InferenceException refusal =
                  failure instanceof InferenceException e
                      ? e
                      : InferenceException.invalid(String.valueOf(failure.getMessage()));
              refuse(model, reply, refusal, arrivalNs);
            })
        .onComplete(done -> model.entrance().leave());
  }

  private void submit(
      ServedModel model,
      InferCall call,
      InputCheck.Checked checked,
      long arrivalNs,
      long preprocessNs,
      ReplyTo reply) {
    List<Tensor> inputs = checked.inputs();
    InferenceRequest request =
        new InferenceRequest(
            model.name(),
            model.deployedVersion(),
            inputs,
            checked.batchSize(),
            call.priority(),
            call.timeoutMicros(),
            arrivalNs,
            preprocessNs,
            call.deadlineNs(),
            reply,
            checked.shapeKey(),
            call.tenant());
    vertx.eventBus().send(Addresses.SUBMIT, request, LOCAL);
  }

  private static void refuse(
      ServedModel model, ReplyTo reply, InferenceException failure, long arrivalNs) {
    boolean counted = failure.code() == ErrorCode.QUEUE_FULL;
    if (reply.fail(failure) && !counted) {
      model.stats().onFailure(ModelStats.Reason.REJECTED, System.nanoTime() - arrivalNs);
    }
  }
}
