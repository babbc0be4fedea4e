package dev.conveyor.models.tensorrt;

import dev.conveyor.models.Shape;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.backend.Declared;
import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.models.config.TensorConfig;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;

/** What can be told of TensorRT's part in a model without a GPU. Stateless. */
public final class EngineFiles {

  private EngineFiles() {}

  /** Returns whether the model is an engine that was made elsewhere. */
  public static boolean isEngine(ModelConfig config) {
    return config.backend().equals(ModelConfig.TENSORRT);
  }

  /**
   * Checks the parameters of the accelerator {@code tensorrt}.
   *
   * @throws dev.conveyor.models.config.ConfigException if one is not known or has no sense
   */
  public static void requireSettings(ModelConfig config) {
    config.gpuAccelerators().stream()
        .filter(accelerator -> accelerator.name().equals(EngineOptions.NAME))
        .forEach(accelerator -> EngineOptions.parse(accelerator.parameters()));
  }

  /** Returns what the configuration says that the engine takes; empty unless it says all of it. */
  public static Optional<Declared> declared(ModelConfig config) {
    boolean complete =
        saysAll(config.inputs())
            && saysAll(config.outputs())
            && config.maxBatchSize() != ModelConfig.UNSET;
    return complete
        ? Optional.of(
            new Declared(
                specs(config.inputs(), config.batches()),
                specs(config.outputs(), config.batches())))
        : Optional.empty();
  }

  private static boolean saysAll(List<TensorConfig> tensors) {
    return !tensors.isEmpty()
        && tensors.stream().allMatch(t -> t.type() != null && t.dims().rank() > 0);
  }

  private static List<TensorSpec> specs(List<TensorConfig> tensors, boolean batches) {
    List<TensorSpec> specs = new ArrayList<>();
    for (TensorConfig tensor : tensors) {
      Shape dims = tensor.modelDims();
      specs.add(
          new TensorSpec(
              tensor.name(),
              Objects.requireNonNull(tensor.type()),
              batches ? dims.withBatch(Shape.DYNAMIC) : dims));
    }
    return specs;
  }
}
