package dev.conveyor.models.backend;

import dev.conveyor.models.Tensor;
import java.util.List;

/** One request of a batch, as the backend sees it. */
public interface BatchRequest {

  /** Returns the first dimension it occupies in the batch; 1 if the model does not batch. */
  int batchSize();

  /** Returns one tensor per model input, in the model's order. */
  List<Tensor> inputs();
}
