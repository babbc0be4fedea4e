package dev.conveyor.verticles;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Tensor;
import dev.conveyor.scheduler.InferenceRequest;
import dev.conveyor.scheduler.ReplyTo;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/**
 * Requests that wait for their model to be loaded. They end when their {@link ColdDeadline} passes,
 * load or no load, or when their clients leave; then their inputs go back and others may wait in
 * their place. Thread-safe: no state of its own.
 */
final class ColdRequests {

  private final Vertx vertx;
  private final ModelActivator activator;

  ColdRequests(Vertx vertx, ModelActivator activator) {
    this.vertx = vertx;
    this.activator = activator;
  }

  /**
   * Waits for the model.
   *
   * @param model as it was found
   * @param loaded called on the context of the request, once the model serves and if the request
   *     still wants an answer; takes over the inputs
   * @param refused called instead, after the inputs were closed, if the request was turned away
   */
  void await(
      ServedModel model,
      InferCall call,
      long arrivalNs,
      ReplyTo reply,
      Runnable loaded,
      Consumer<InferenceException> refused) {
    ColdDeadline deadline = ColdDeadline.of(model.config(), call, arrivalNs);
    long deadlineNs = deadline.ns();
    long timer =
        deadlineNs == InferenceRequest.NO_DEADLINE
            ? -1
            : vertx.setTimer(
                Math.max(1, TimeUnit.NANOSECONDS.toMillis(deadlineNs - System.nanoTime())),
                id -> reply.fail(deadline.passed(call.model())));
    // Completed on the context of the reply only: whoever does it first has the inputs.
    Promise<Void> over = Promise.promise();
    reply.afterwards(
        () -> {
          if (over.tryComplete()) {
            cancel(timer);
            call.inputs().forEach(Tensor::close);
          }
        });
    // Of images nobody knows how many bytes they become, which are often fewer.
    long bytes =
        model.images() == ImageInputs.NONE
            ? call.inputs().stream().mapToLong(Tensor::sizeBytes).sum()
            : 0;
    activator
        .activate(call.model(), new ColdRequest(call.priority(), bytes, deadlineNs), over.future())
        .onComplete(
            done ->
                reply
                    .context()
                    .runOnContext(
                        v -> {
                          if (!over.tryComplete()) {
                            return;
                          }
                          cancel(timer);
                          if (done.succeeded() && !reply.isDone()) {
                            loaded.run();
                            return;
                          }
                          call.inputs().forEach(Tensor::close);
                          if (done.failed()) {
                            refused.accept(asRefusal(call, done.cause()));
                          }
                        }));
  }

  private void cancel(long timer) {
    if (timer >= 0) {
      vertx.cancelTimer(timer);
    }
  }

  private static InferenceException asRefusal(InferCall call, Throwable cause) {
    return cause instanceof InferenceException e
        ? e
        : new InferenceException(
            ErrorCode.UNAVAILABLE,
            "Model '" + call.model() + "' could not be loaded: " + cause.getMessage());
  }
}
