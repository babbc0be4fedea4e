package dev.conveyor.verticles.cli.gpucheck;

import dev.conveyor.models.Tensor;
import dev.conveyor.models.backend.BatchRequest;
import java.util.List;

/** A request of one item. Immutable; its tensors are the caller's. */
record Item(List<Tensor> inputs) implements BatchRequest {

  Item {
    inputs = List.copyOf(inputs);
  }

  @Override
  public int batchSize() {
    return 1;
  }
}
