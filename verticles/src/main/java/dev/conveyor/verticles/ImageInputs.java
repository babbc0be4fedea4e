package dev.conveyor.verticles;

import dev.conveyor.models.Tensor;
import dev.conveyor.scheduler.ReplyTo;
import dev.conveyor.scheduler.admission.AdmissionRule;
import io.vertx.core.Future;
import java.util.List;
import java.util.function.UnaryOperator;

/**
 * Turns the encoded images of a request into tensors, off the event loops. Thread-safe; one per
 * served model.
 */
public interface ImageInputs {

  /** For models that take tensors only. */
  ImageInputs NONE =
      new ImageInputs() {
        @Override
        public boolean applyTo(List<Tensor> inputs) {
          return false;
        }

        @Override
        public Future<Prepared> preprocess(List<Tensor> inputs, ReplyTo reply, Runnable admission) {
          return Future.succeededFuture(new Prepared(inputs));
        }
      };

  /**
   * What a request has become.
   *
   * @param inputs in the same order
   * @param outputs brings what the model answers to the coordinates of the images that were sent;
   *     takes the tensors over, and is called on the instance's thread
   * @param readsOutputs whether that reads any of them
   */
  record Prepared(List<Tensor> inputs, UnaryOperator<List<Tensor>> outputs, boolean readsOutputs) {

    /** What is answered as the model gives it. */
    public Prepared(List<Tensor> inputs) {
      this(inputs, UnaryOperator.identity(), false);
    }
  }

  /**
   * Returns what a request that comes now has before it until its images are decoded, by the share
   * of the cores that its model gets; nothing while no other request of the model waits.
   */
  default AdmissionRule.Preparation ahead() {
    return AdmissionRule.Preparation.NONE;
  }

  /** The same for a request whose turn it is; nothing while no other of the model waits. */
  default AdmissionRule.Preparation work() {
    return AdmissionRule.Preparation.NONE;
  }

  /** Returns true if one of these checked inputs holds images. */
  boolean applyTo(List<Tensor> inputs);

  /**
   * Decodes and fits the images. Takes over the inputs; they are closed when the result is there,
   * and also when it fails. The future completes on the caller's context.
   *
   * @param reply work that nobody waits for any more is not begun
   * @param admission called on a worker right before the work; what it throws is the failure
   */
  Future<Prepared> preprocess(List<Tensor> inputs, ReplyTo reply, Runnable admission);
}
