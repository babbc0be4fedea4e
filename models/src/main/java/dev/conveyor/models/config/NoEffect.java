package dev.conveyor.models.config;

import dev.conveyor.models.proto.ModelInstanceGroup;
import dev.conveyor.models.proto.ModelOptimizationPolicy;
import java.util.ArrayList;
import java.util.List;

/**
 * Finds what a file asks for and does not get, where answers do not depend on it: most of it is
 * what Triton ignores too, unless it is started with an option. Stateless.
 */
final class NoEffect {

  private NoEffect() {}

  /** Returns lines of {@code key: why}, in the order of the file's vocabulary. */
  static List<String> of(dev.conveyor.models.proto.ModelConfig config) {
    List<String> lines = new ArrayList<>();
    for (int i = 0; i < config.getInstanceGroupCount(); i++) {
      ModelInstanceGroup group = config.getInstanceGroup(i);
      String key = "instance_group[" + i + "].";
      add(lines, group.hasRateLimiter(), key + "rate_limiter: no effect, the scheduler shares");
      add(lines, group.getPassive(), key + "passive: no effect, its instances take requests");
      add(
          lines,
          group.getProfileCount() > 0 && !hasEngine(config),
          key + "profile: no effect, there is no engine of TensorRT");
      add(
          lines,
          !group.getHostPolicy().isEmpty(),
          key + "host_policy: no effect, there are no host policies");
    }
    add(
        lines,
        config.getResponseCache().getEnable(),
        "response_cache.enable: no effect, answers are not cached");
    add(
        lines,
        config.getOptimization().getExecutionAccelerators().getCpuExecutionAcceleratorCount() > 0,
        "optimization.execution_accelerators.cpu_execution_accelerator: no effect, ONNX Runtime"
            + " executes; parameters.execution_provider chooses its kernels");
    List<ModelOptimizationPolicy.ExecutionAccelerators.Accelerator> onGpu =
        config.getOptimization().getExecutionAccelerators().getGpuExecutionAcceleratorList();
    for (int i = 0; i < onGpu.size(); i++) {
      add(
          lines,
          onGpu.get(i).getName().equals(AcceleratorMapper.CUDA),
          "optimization.execution_accelerators.gpu_execution_accelerator["
              + i
              + "]: no effect, ONNX Runtime executes with CUDA on a GPU anyway; its settings are"
              + " in parameters");
    }
    if (!config.hasEnsembleScheduling()) { // the parameters of an ensemble are its steps'
      lines.addAll(ModelParameters.withoutEffect(config.getParametersMap().keySet()));
    }
    return lines;
  }

  private static boolean hasEngine(dev.conveyor.models.proto.ModelConfig config) {
    return config.getPlatform().equals(UnsupportedSettings.PLAN_PLATFORM)
        || config.getBackend().equals(ModelConfig.TENSORRT)
        || config
            .getOptimization()
            .getExecutionAccelerators()
            .getGpuExecutionAcceleratorList()
            .stream()
            .anyMatch(accelerator -> accelerator.getName().equals(ModelConfig.TENSORRT));
  }

  private static void add(List<String> lines, boolean configured, String line) {
    if (configured) {
      lines.add(line);
    }
  }
}
