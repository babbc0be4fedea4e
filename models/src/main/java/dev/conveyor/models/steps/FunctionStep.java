package dev.conveyor.models.steps;

import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import java.util.List;
import java.util.function.BiFunction;
import java.util.function.UnaryOperator;

/** A step made of two functions without state. Immutable, thread-safe. */
record FunctionStep(
    List<String> inputs,
    UnaryOperator<List<TensorSpec>> specs,
    BiFunction<List<Tensor>, StepResources, List<Tensor>> work)
    implements Step {

  @Override
  public List<TensorSpec> outputs(List<TensorSpec> given) {
    return specs.apply(given);
  }

  @Override
  public List<Tensor> run(List<Tensor> given, StepResources resources) {
    return work.apply(given, resources);
  }
}
