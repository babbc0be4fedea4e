package dev.conveyor.verticles.ensemble;

import dev.conveyor.models.Tensor;
import dev.conveyor.verticles.metrics.HandOver;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a step is about to read. Thread-confined: the context of the request.
 *
 * @param tensors in the order of the step's inputs, under its names; taken over by who runs it
 * @param given by input: the tensor as the step before gave it, null where it is the client's; only
 *     to tell its place
 */
record StepInputs(List<Tensor> tensors, List<@Nullable Tensor> given) {

  /** Counts what arrives, by name: a model may have its inputs in another order. */
  void arrived(List<Tensor> received, HandOver handOver) {
    for (int i = 0; i < tensors.size(); i++) {
      Tensor giver = given.get(i);
      if (giver != null) {
        count(giver, tensors.get(i).name(), received, handOver);
      }
    }
  }

  /** An image that the model has decoded is another tensor, not a copy. */
  private static void count(Tensor giver, String name, List<Tensor> received, HandOver handOver) {
    for (int i = 0; i < received.size(); i++) {
      Tensor tensor = received.get(i);
      if (tensor.name().equals(name) && tensor.type() == giver.type()) {
        handOver.count(giver, tensor);
      }
    }
  }
}
