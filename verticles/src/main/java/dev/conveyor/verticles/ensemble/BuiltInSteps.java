package dev.conveyor.verticles.ensemble;

import dev.conveyor.models.ModelSignature;
import dev.conveyor.models.Shape;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.config.Extensions;
import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.models.config.TensorConfig;
import dev.conveyor.models.config.VersionPolicy;
import dev.conveyor.models.ensemble.EnsemblePlan;
import dev.conveyor.models.ensemble.PlannedStep;
import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.metrics.ModelStats;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;

/**
 * What clients are told about steps that need no model. Triton's tools ask for the configuration
 * and the statistics of whatever an ensemble names, so these have some too. Stateless.
 */
final class BuiltInSteps {

  private BuiltInSteps() {}

  /**
   * Returns the steps of a plan, by the name that the ensemble uses; of two with one name, the
   * first.
   *
   * @param stats counters by that name
   */
  static Map<String, ServedModel> of(EnsemblePlan plan, Function<String, ModelStats> stats) {
    Map<String, ServedModel> steps = new LinkedHashMap<>();
    for (PlannedStep step : plan.steps()) {
      if (step.step().isPresent() && !steps.containsKey(step.model())) {
        steps.put(
            step.model(),
            ServedModel.step(
                config(step.model(), step.signature()),
                step.signature(),
                stats.apply(step.model())));
      }
    }
    return Map.copyOf(steps);
  }

  private static ModelConfig config(String name, ModelSignature signature) {
    return new ModelConfig(
        name,
        ModelConfig.STEP,
        signature.maxBatchSize(),
        tensors(signature.inputs(), signature.batches()),
        tensors(signature.outputs(), signature.batches()),
        List.of(),
        Optional.empty(),
        VersionPolicy.DEFAULT,
        List.of(),
        Map.of(),
        Extensions.DEFAULT);
  }

  private static List<TensorConfig> tensors(List<TensorSpec> specs, boolean batches) {
    return specs.stream()
        .map(
            spec -> {
              Shape shape = spec.shape();
              boolean leading = batches && shape.rank() > 0;
              return new TensorConfig(
                  spec.name(), spec.type(), leading ? shape.withoutFirst() : shape, "");
            })
        .toList();
  }
}
