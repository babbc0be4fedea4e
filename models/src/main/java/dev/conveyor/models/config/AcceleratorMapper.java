package dev.conveyor.models.config;

import static dev.conveyor.models.config.Keys.each;

import dev.conveyor.models.proto.ModelOptimizationPolicy;
import dev.conveyor.models.proto.ModelOptimizationPolicy.ExecutionAccelerators.Accelerator;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/**
 * What is to execute a model instead of its backend. A name that nobody here knows is refused, as
 * it is by Triton: the model would run otherwise than its file says. Stateless.
 */
final class AcceleratorMapper {

  /** Triton's for CPUs; answers do not depend on it. */
  static final String OPENVINO = "openvino";

  /** Triton's for ONNX Runtime on GPUs, which this server takes there anyway. */
  static final String CUDA = "cuda";

  private static final Set<String> ON_GPU = new TreeSet<>(Set.of(CUDA, ModelConfig.TENSORRT));
  private static final Set<String> ON_CPU = Set.of(OPENVINO);

  private AcceleratorMapper() {}

  static List<GpuAccelerator> gpu(ModelOptimizationPolicy policy) {
    var accelerators = policy.getExecutionAccelerators();
    each(
        "execution_accelerators.cpu_execution_accelerator",
        accelerators.getCpuExecutionAcceleratorList(),
        cpu -> requireKnown(cpu, ON_CPU));
    return each(
        "execution_accelerators.gpu_execution_accelerator",
        accelerators.getGpuExecutionAcceleratorList(),
        gpu -> {
          Accelerator known = requireKnown(gpu, ON_GPU);
          return new GpuAccelerator(known.getName(), known.getParametersMap());
        });
  }

  private static Accelerator requireKnown(Accelerator accelerator, Set<String> names) {
    if (!names.contains(accelerator.getName())) {
      throw new ConfigException(
          "name", String.join(" or ", names), "\"" + accelerator.getName() + "\"");
    }
    return accelerator;
  }
}
