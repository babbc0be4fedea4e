package dev.conveyor.models.config;

import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** What a configuration with an ensemble must have and cannot have. Stateless. */
final class EnsembleRules {

  static final String PLATFORM = "ensemble";

  private static final String STEP_FLOWS = ModelConfig.EXTENSIONS_KEY + ".ensemble_step";

  private EnsembleRules() {}

  static void require(ModelConfig config) {
    List<StepFlow> flows = config.extensions().stepFlows();
    if (config.ensemble().isEmpty()) {
      if (!flows.isEmpty()) {
        throw new ConfigException(STEP_FLOWS, "not without ensemble_scheduling");
      }
      return;
    }
    requireSteps(flows, config.ensemble().get().steps(), config.batches());
    refuse("instance_group", !config.instanceGroups().isEmpty());
    refuse("dynamic_batching", config.dynamicBatching().isPresent());
    refuse("model_warmup", !config.warmups().isEmpty());
    refuse("conveyor.preprocessing", !config.extensions().preprocessing().isEmpty());
    refuse(
        "conveyor.residency",
        config.extensions().memory().residency() != ModelMemory.Residency.PINNED);
    ServiceLevel level = config.extensions().serviceLevel();
    refuse(
        "conveyor.latency_percentile",
        level.latencyPercentile() != ServiceLevel.DEFAULT.latencyPercentile());
    refuse(
        "conveyor.priority_class", level.priorityClass() != ServiceLevel.DEFAULT.priorityClass());
    refuse("conveyor.priority_ageing_microseconds", !level.priorityAgeing().isZero());
    refuseReshape("input", config.inputs());
    refuseReshape("output", config.outputs());
    complete("input", config.inputs());
    complete("output", config.outputs());
  }

  private static void requireSteps(
      List<StepFlow> flows, List<EnsembleConfig.Step> steps, boolean batches) {
    Set<Integer> seen = new HashSet<>();
    for (int i = 0; i < flows.size(); i++) {
      StepFlow flow = flows.get(i);
      String key = STEP_FLOWS + "[" + i + "].";
      if (flow.step() >= steps.size()) {
        throw new ConfigException(
            key + "step", "the number of a step, 0 to " + (steps.size() - 1), flow.step());
      }
      if (!seen.add(flow.step())) {
        throw new ConfigException(key + "step", "step " + flow.step() + " is there twice");
      }
      Set<String> inputs = steps.get(flow.step()).inputMap().keySet();
      for (String input : flow.forEach()) {
        if (!inputs.contains(input)) {
          throw new ConfigException(
              key + "for_each",
              "inputs of step " + flow.step() + ", " + inputs,
              "\"" + input + "\"");
        }
      }
      if (flow.fansOut() && batches) {
        throw new ConfigException(
            "max_batch_size",
            "0 for an ensemble with a fan-out: how many items there are differs from image to image");
      }
    }
  }

  private static void complete(String key, List<TensorConfig> tensors) {
    if (tensors.isEmpty()) {
      throw new ConfigException(key, "the " + key + "s of the ensemble", "nothing");
    }
    for (int i = 0; i < tensors.size(); i++) {
      if (tensors.get(i).type() == null) {
        throw new ConfigException(key + "[" + i + "].data_type", "a type", "nothing");
      }
    }
  }

  private static void refuseReshape(String key, List<TensorConfig> tensors) {
    for (int i = 0; i < tensors.size(); i++) {
      refuse(key + "[" + i + "].reshape", tensors.get(i).reshape().isPresent());
    }
  }

  private static void refuse(String key, boolean configured) {
    if (configured) {
      throw new ConfigException(
          key, "not for an ensemble: configure it for the models of its steps");
    }
  }
}
