package dev.conveyor.models.backend;

import dev.conveyor.models.Tensor;
import java.util.List;

/**
 * What a batch gave.
 *
 * @param outputs per request, one tensor per model output in the model's order; the receiver owns
 *     them
 * @param copyInNs time to gather the inputs
 * @param computeNs time of the run itself
 * @param copyOutNs time to scatter the outputs
 */
public record BatchResult(
    List<List<Tensor>> outputs, long copyInNs, long computeNs, long copyOutNs) {

  /** Gives back the memory of outputs that nobody is to have. */
  public void discard() {
    for (List<Tensor> answer : outputs) {
      answer.forEach(Tensor::close);
    }
  }
}
