package dev.conveyor.verticles.instance;

import com.google.errorprone.annotations.FormatMethod;
import com.google.errorprone.annotations.FormatString;
import dev.conveyor.models.DataType;
import dev.conveyor.models.ModelSignature;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.backend.BatchRequest;
import dev.conveyor.models.backend.BatchResult;
import dev.conveyor.models.backend.ExecutionException;
import java.util.List;

/**
 * Holds what a backend gave against what the model promises, before anybody gets it.
 *
 * <p>Immutable; costs a few comparisons per tensor.
 */
final class OutputCheck {

  private final List<TensorSpec> outputs;
  private final boolean batches;

  OutputCheck(ModelSignature signature) {
    this.outputs = signature.outputs();
    this.batches = signature.batches();
  }

  /**
   * Checks number, types, shapes and lengths.
   *
   * @throws ExecutionException naming the output, what it is and what it should be
   */
  void check(List<? extends BatchRequest> requests, BatchResult result) {
    if (result.outputs().size() != requests.size()) {
      throw wrong(
          "the backend gave outputs for %d requests of %d",
          result.outputs().size(), requests.size());
    }
    for (int r = 0; r < requests.size(); r++) {
      List<Tensor> tensors = result.outputs().get(r);
      if (tensors.size() != outputs.size()) {
        throw wrong("the backend gave %d outputs of %d", tensors.size(), outputs.size());
      }
      for (int o = 0; o < tensors.size(); o++) {
        check(outputs.get(o), tensors.get(o), requests.get(r).batchSize());
      }
    }
  }

  private void check(TensorSpec spec, Tensor tensor, int batchSize) {
    Shape shape = tensor.shape();
    Shape declared = spec.shape();
    boolean fits = tensor.type() == spec.type() && shape.rank() == declared.rank();
    for (int i = 0; fits && i < shape.rank(); i++) {
      long dim = batches && i == 0 ? batchSize : declared.dim(i);
      fits = dim == Shape.DYNAMIC || dim == shape.dim(i);
    }
    if (!fits) {
      throw wrong(
          "output '%s' is %s %s, but the model declares %s %s and the request has batch size %d",
          spec.name(), tensor.type(), shape, spec.type(), declared, batchSize);
    }
    if (tensor.type() != DataType.BYTES
        && shape.elements() * tensor.type().sizeBytes() != tensor.sizeBytes()) {
      throw wrong("output '%s' of shape %s has %d bytes", spec.name(), shape, tensor.sizeBytes());
    }
  }

  @FormatMethod
  private static ExecutionException wrong(@FormatString String format, Object... args) {
    return new ExecutionException(ExecutionException.Kind.RUN, format.formatted(args));
  }
}
