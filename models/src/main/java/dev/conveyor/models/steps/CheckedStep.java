package dev.conveyor.models.steps;

import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.config.ConfigException;
import java.util.ArrayList;
import java.util.List;

/**
 * A step whose tensors are checked when it runs as its configuration was when it was loaded: a
 * dimension that was open then is known now. Immutable, thread-safe.
 */
record CheckedStep(Step step) implements Step {

  @Override
  public List<String> inputs() {
    return step.inputs();
  }

  @Override
  public List<TensorSpec> outputs(List<TensorSpec> inputs) {
    return step.outputs(inputs);
  }

  @Override
  public List<Tensor> run(List<Tensor> inputs, StepResources resources) {
    List<TensorSpec> given = new ArrayList<>(inputs.size());
    boolean rows = true;
    for (Tensor input : inputs) {
      given.add(new TensorSpec(input.name(), input.type(), input.shape()));
      rows &= input.shape().rank() == 0 || input.shape().dim(0) > 0;
    }
    // Without rows other dimensions say nothing: what nobody knows is 0 there.
    if (rows) {
      try {
        List<TensorSpec> unused = step.outputs(given);
      } catch (ConfigException e) {
        throw InferenceException.invalid(String.valueOf(e.getMessage()));
      }
    }
    return step.run(inputs, resources);
  }

  @Override
  public boolean decodesImages() {
    return step.decodesImages();
  }

  @Override
  public boolean makesOnDevice() {
    return step.makesOnDevice();
  }

  @Override
  public boolean worksOnDevice(String input) {
    return step.worksOnDevice(input);
  }
}
