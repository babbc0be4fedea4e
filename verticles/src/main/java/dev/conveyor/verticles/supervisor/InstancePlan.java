package dev.conveyor.verticles.supervisor;

import dev.conveyor.memory.cuda.CudaLibraries;
import dev.conveyor.models.backend.ModelLoadException;
import dev.conveyor.models.config.InstanceGroup;
import dev.conveyor.models.config.InstanceRange;
import dev.conveyor.models.config.ModelConfig;

/**
 * How many instances a model has and how many threads one execution takes.
 *
 * <p>Instances of one model never oversubscribe the cores among themselves: unless the
 * configuration says otherwise, {@code instances * threads <= cores}. Several models share the
 * cores through the scheduler, which counts the threads of running batches.
 *
 * @param instances to begin with
 * @param threads of one execution; fixed for the life of the session, and so divided by the most
 *     instances there can be
 * @param min fewest instances there can be
 * @param max most instances there can be
 */
public record InstancePlan(int instances, int threads, int min, int max) {

  /**
   * Plans a model on a machine without GPUs.
   *
   * @throws ModelLoadException if the model insists on a GPU
   */
  public static InstancePlan onCpu(ModelConfig config, int cores) {
    int instances = 0;
    for (InstanceGroup group : config.instanceGroups()) {
      if (group.kind() == InstanceGroup.Kind.KIND_GPU) {
        throw new ModelLoadException(
            "instance_group.kind: KIND_GPU cannot be had: %s; KIND_AUTO takes what there is"
                .formatted(whyNoGpu()));
      }
      instances += group.count();
    }
    InstanceRange range = config.extensions().instances();
    instances = range.clamp(Math.max(1, instances));
    int max = range.isFixed() ? instances : range.max();
    int min = range.isFixed() ? instances : range.min();
    int configured = config.extensions().intraOpThreads();
    int threads = configured > 0 ? configured : Math.max(1, cores / max);
    return new InstancePlan(instances, threads, min, max);
  }

  private static String whyNoGpu() {
    CudaLibraries.Found found = CudaLibraries.find();
    return found.cuda() == null ? found.reason() : "no backend runs on the GPU that was found";
  }

  /** Returns true if instances come and go with the load. */
  public boolean isElastic() {
    return min < max;
  }
}
