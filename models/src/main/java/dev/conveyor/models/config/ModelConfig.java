package dev.conveyor.models.config;

import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Everything configured about one model (Triton's {@code ModelConfig}). Complete once it has been
 * checked against the model: before that, inputs and outputs may be empty and {@code maxBatchSize}
 * may be {@link #UNSET}.
 *
 * @param backend {@code onnxruntime}; empty until completed
 * @param maxBatchSize 0: the model has no batch dimension
 */
public record ModelConfig(
    String name,
    String backend,
    int maxBatchSize,
    List<TensorConfig> inputs,
    List<TensorConfig> outputs,
    List<InstanceGroup> instanceGroups,
    Optional<DynamicBatching> dynamicBatching,
    VersionPolicy versionPolicy,
    List<Warmup> warmups,
    Map<String, String> parameters,
    Extensions extensions) {

  /** {@code max_batch_size} of a configuration that leaves it to the model. */
  public static final int UNSET = -1;

  public ModelConfig {
    inputs = List.copyOf(inputs);
    outputs = List.copyOf(outputs);
    instanceGroups = List.copyOf(instanceGroups);
    warmups = List.copyOf(warmups);
    parameters = Map.copyOf(parameters);
    if (maxBatchSize < UNSET) {
      throw new ConfigException("max_batch_size", "must not be negative, was " + maxBatchSize);
    }
    if (maxBatchSize >= 0 && dynamicBatching.isPresent()) {
      requirePreferredWithin(dynamicBatching.get(), maxBatchSize);
    }
  }

  /** Returns a configuration that leaves everything to the model. */
  public static ModelConfig empty(String name) {
    return new ModelConfig(
        name,
        "",
        UNSET,
        List.of(),
        List.of(),
        List.of(),
        Optional.empty(),
        VersionPolicy.DEFAULT,
        List.of(),
        Map.of(),
        Extensions.DEFAULT);
  }

  public boolean batches() {
    return maxBatchSize > 0;
  }

  private static void requirePreferredWithin(DynamicBatching batching, int maxBatchSize) {
    for (int preferred : batching.preferredBatchSizes()) {
      if (preferred > Math.max(1, maxBatchSize)) {
        throw new ConfigException(
            "preferred_batch_size",
            "must be at most max_batch_size=" + maxBatchSize + ", was " + preferred);
      }
    }
  }
}
