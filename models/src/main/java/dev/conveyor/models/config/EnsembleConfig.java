package dev.conveyor.models.config;

import java.util.List;
import java.util.Map;

/**
 * The steps of a model that is made of other models (Triton's {@code ensemble_scheduling}).
 *
 * @param steps in any order: tensors decide what runs after what
 * @param maxInflightRequests most requests of this ensemble that one step has under way; 0 for no
 *     limit
 */
public record EnsembleConfig(List<Step> steps, int maxInflightRequests) {

  /** Value of {@link Step#version} that takes the highest version. */
  public static final long LATEST = -1;

  /**
   * One step.
   *
   * @param model name of a model, or of a built-in step
   * @param version of the model, or {@link #LATEST}
   * @param inputMap input of the model to tensor of the ensemble
   * @param outputMap output of the model to tensor of the ensemble
   */
  public record Step(
      String model, long version, Map<String, String> inputMap, Map<String, String> outputMap) {

    public Step {
      inputMap = Map.copyOf(inputMap);
      outputMap = Map.copyOf(outputMap);
      if (model.isEmpty()) {
        throw new ConfigException("model_name", "the name of a model", "nothing");
      }
      if (version != LATEST && version < 1) {
        throw new ConfigException("model_version", "1 or more, or -1 for the latest", version);
      }
      requireNamed("input_map", inputMap);
      requireNamed("output_map", outputMap);
      if (inputMap.isEmpty()) {
        throw new ConfigException("input_map", "a tensor for each input of the model", "nothing");
      }
      if (outputMap.isEmpty()) {
        throw new ConfigException("output_map", "at least one output of the model", "nothing");
      }
    }

    private static void requireNamed(String key, Map<String, String> map) {
      map.forEach(
          (name, tensor) -> {
            if (name.isEmpty() || tensor.isEmpty()) {
              throw new ConfigException(
                  key, "two names of tensors", "\"" + name + "\": \"" + tensor + "\"");
            }
          });
    }
  }

  public EnsembleConfig {
    steps = List.copyOf(steps);
    if (steps.isEmpty()) {
      throw new ConfigException("step", "at least one step", "nothing");
    }
    if (maxInflightRequests < 0) {
      throw new ConfigException("max_inflight_requests", "0 or more", maxInflightRequests);
    }
  }
}
