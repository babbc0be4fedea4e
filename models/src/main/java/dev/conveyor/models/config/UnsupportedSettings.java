package dev.conveyor.models.config;

import dev.conveyor.models.proto.ModelInput;
import dev.conveyor.models.proto.ModelInstanceGroup;
import dev.conveyor.models.proto.ModelOutput;
import java.util.Set;

/**
 * Refuses what Triton can do and this server cannot, so that no model is served otherwise than its
 * configuration says.
 *
 * <p>Let through without effect, because answers do not depend on them: the rest of {@code
 * optimization}, {@code metric_tags}, {@code model_metrics}, {@code cc_model_filenames}, whatever
 * is at its default, and what {@link NoEffect} tells about.
 */
final class UnsupportedSettings {

  /** Platform of engines that were made elsewhere. */
  static final String PLAN_PLATFORM = "tensorrt_plan";

  private static final Set<String> PLATFORMS = Set.of("", "onnxruntime_onnx", PLAN_PLATFORM);
  private static final Set<String> BACKENDS = Set.of("", "onnxruntime", ModelConfig.TENSORRT);
  private static final Set<String> RUNTIMES = Set.of("", "libtriton_onnxruntime.so");

  private UnsupportedSettings() {}

  static void refuse(dev.conveyor.models.proto.ModelConfig config) {
    if (config.hasEnsembleScheduling()) {
      ensemble(config);
    } else if (config.getPlatform().equals(EnsembleRules.PLATFORM)) {
      throw new ConfigException(
          "platform", "\"ensemble\" needs ensemble_scheduling, which is not there");
    } else {
      oneOf("platform", PLATFORMS, config.getPlatform());
    }
    oneOf("backend", BACKENDS, config.getBackend());
    oneOf("runtime", RUNTIMES, config.getRuntime());
    refuse("sequence_batching", config.hasSequenceBatching());
    refuse("batch_input", config.getBatchInputCount() > 0);
    refuse("batch_output", config.getBatchOutputCount() > 0);
    refuse(
        "model_operations.op_library_filename",
        config.getModelOperations().getOpLibraryFilenameCount() > 0);
    refuse("model_transaction_policy.decoupled", config.getModelTransactionPolicy().getDecoupled());
    refuse(
        "model_repository_agents.agents", config.getModelRepositoryAgents().getAgentsCount() > 0);
  }

  static void refuse(ModelInput input) {
    if (input.getOptional()) {
      throw new ConfigException(
          "optional", "not supported by this server: its models need every input");
    }
    refuse("is_shape_tensor", input.getIsShapeTensor());
    refuse("allow_ragged_batch", input.getAllowRaggedBatch());
    refuse("is_non_linear_format_io", input.getIsNonLinearFormatIo());
  }

  static void refuse(ModelOutput output) {
    refuse("is_shape_tensor", output.getIsShapeTensor());
    refuse("is_non_linear_format_io", output.getIsNonLinearFormatIo());
  }

  static void refuse(ModelInstanceGroup group) {
    if (group.getKind() == ModelInstanceGroup.Kind.KIND_MODEL) {
      throw new ConfigException("kind", "KIND_MODEL is not supported by this server");
    }
    refuse("secondary_devices", group.getSecondaryDevicesCount() > 0);
  }

  private static void ensemble(dev.conveyor.models.proto.ModelConfig config) {
    if (!config.getPlatform().equals(EnsembleRules.PLATFORM)) {
      throw new ConfigException(
          "platform",
          "\"ensemble\", because of ensemble_scheduling",
          "\"" + config.getPlatform() + "\"");
    }
    if (!config.getBackend().isEmpty()) {
      throw new ConfigException("backend", "none for an ensemble", config.getBackend());
    }
  }

  private static void oneOf(String key, Set<String> supported, String found) {
    if (!supported.contains(found)) {
      throw new ConfigException(
          key,
          "\""
              + found
              + "\" is not supported by this server, which runs ONNX models (backend \"onnxruntime\") and TensorRT engines (\"tensorrt\")");
    }
  }

  private static void refuse(String key, boolean configured) {
    if (configured) {
      throw new ConfigException(key, "not supported by this server");
    }
  }
}
