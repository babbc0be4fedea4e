package dev.conveyor.models.config;

import java.util.List;

/** What a configuration with an ensemble must have and cannot have. Stateless. */
final class EnsembleRules {

  static final String PLATFORM = "ensemble";

  private EnsembleRules() {}

  static void require(ModelConfig config) {
    if (config.ensemble().isEmpty()) {
      return;
    }
    refuse("instance_group", !config.instanceGroups().isEmpty());
    refuse("dynamic_batching", config.dynamicBatching().isPresent());
    refuse("model_warmup", !config.warmups().isEmpty());
    refuse("conveyor.preprocessing", !config.extensions().preprocessing().isEmpty());
    refuse(
        "conveyor.residency",
        config.extensions().memory().residency() != ModelMemory.Residency.PINNED);
    complete("input", config.inputs());
    complete("output", config.outputs());
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

  private static void refuse(String key, boolean configured) {
    if (configured) {
      throw new ConfigException(
          key, "not for an ensemble: configure it for the models of its steps");
    }
  }
}
