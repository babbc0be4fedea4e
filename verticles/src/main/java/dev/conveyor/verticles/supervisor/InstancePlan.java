package dev.conveyor.verticles.supervisor;

import dev.conveyor.models.backend.ModelLoadException;
import dev.conveyor.models.config.InstanceGroup;
import dev.conveyor.models.config.ModelConfig;

/**
 * How many instances a model has and how many threads one execution takes.
 *
 * <p>Instances of one model never oversubscribe the cores among themselves: unless the
 * configuration says otherwise, {@code instances * threads <= cores}. Several models share the
 * cores through the scheduler, which counts the threads of running batches.
 */
public record InstancePlan(int instances, int threads) {

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
            "instance_group.kind: KIND_GPU needs a GPU and none was found; KIND_AUTO takes what"
                + " there is");
      }
      instances += group.count();
    }
    instances = Math.max(1, instances);
    int configured = config.extensions().intraOpThreads();
    return new InstancePlan(
        instances, configured > 0 ? configured : Math.max(1, cores / instances));
  }
}
