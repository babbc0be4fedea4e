package dev.conveyor.verticles.supervisor;

import dev.conveyor.models.config.InstanceRange;
import dev.conveyor.models.config.ModelConfig;
import java.util.List;

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
 * @param devices where the instances run, by slot; what has more slots goes on with the last
 */
public record InstancePlan(int instances, int threads, int min, int max, List<String> devices) {

  public InstancePlan {
    devices = List.copyOf(devices);
  }

  /** Creates a plan of instances that all run on one device. */
  static InstancePlan onCpu(ModelConfig config, int instances, int cores, String device) {
    InstanceRange range = config.extensions().instances();
    int begin = range.clamp(Math.max(1, instances));
    int max = range.isFixed() ? begin : range.max();
    int min = range.isFixed() ? begin : range.min();
    return new InstancePlan(begin, threads(config, cores, max), min, max, List.of(device));
  }

  /**
   * Creates a plan of instances on several devices; their number is fixed.
   *
   * @param cpuInstances how many of them share the cores
   */
  static InstancePlan on(ModelConfig config, List<String> devices, int cpuInstances, int cores) {
    int instances = devices.size();
    int threads = threads(config, cores, Math.max(1, cpuInstances));
    return new InstancePlan(instances, threads, instances, instances, devices);
  }

  private static int threads(ModelConfig config, int cores, int instances) {
    int configured = config.extensions().intraOpThreads();
    return configured > 0 ? configured : Math.max(1, cores / instances);
  }

  /** Returns where the instance of a slot runs. */
  String device(int slot) {
    return devices.get(Math.min(slot, devices.size() - 1));
  }

  /** Returns true if instances come and go with the load. */
  public boolean isElastic() {
    return min < max;
  }
}
