package dev.conveyor.verticles.supervisor;

import dev.conveyor.models.config.InstanceRange;
import dev.conveyor.models.config.ModelConfig;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;

/**
 * How many instances a model has, where they are, and how many threads one execution takes.
 *
 * <p>Instances of one model never oversubscribe the cores among themselves: unless the
 * configuration says otherwise, {@code instances * threads <= cores}. Several models share the
 * cores through the scheduler, which counts the threads of running batches.
 *
 * @param devices where the instances run that there are to begin with, one entry for each
 * @param lanes instances, as the scheduler counts them, that come and go together: one on the CPU,
 *     as many as it may have batches in flight on a GPU
 * @param threads of one execution; fixed for the life of the session, and so divided by the most
 *     instances there can be
 * @param idleThreads of one execution while nothing else wants the cores, on the CPU only; {@code
 *     threads} if there is no difference
 * @param min fewest there can be, on all devices together, {@code lanes} counted as one
 * @param max most there can be, counted likewise
 */
public record InstancePlan(
    List<String> devices, int lanes, int threads, int idleThreads, int min, int max) {

  public InstancePlan {
    devices = List.copyOf(devices);
  }

  /** Creates a plan of instances that all run on the CPU. */
  static InstancePlan onCpu(ModelConfig config, int instances, int cores, String device) {
    InstanceRange range = config.extensions().instances();
    int begin = range.clamp(Math.max(1, instances));
    int max = range.isFixed() ? begin : range.max();
    int min = range.isFixed() ? begin : range.min();
    List<String> devices = Collections.nCopies(begin, device);
    int threads = threads(config, cores, max);
    int idle = Math.max(threads, Math.min(cores, config.extensions().idleIntraOpThreads()));
    return new InstancePlan(devices, 1, threads, idle, min, max);
  }

  /**
   * Creates a plan of instances that all run on GPUs.
   *
   * @param devices one entry for each instance of {@code instance_group}
   */
  static InstancePlan onGpus(ModelConfig config, List<String> devices, int lanes, int cores) {
    InstanceRange range = config.extensions().instances();
    int max = range.isFixed() ? devices.size() : range.max();
    int min = range.isFixed() ? devices.size() : range.min();
    int threads = threads(config, cores, 1);
    return new InstancePlan(repeated(devices, lanes), lanes, threads, threads, min, max);
  }

  /**
   * Creates a plan of instances of several groups, on GPUs and maybe on the CPU; their number is
   * fixed.
   *
   * @param onGpus one entry for each instance of {@code instance_group}
   * @param onCpu how many of them are on the CPU
   */
  static InstancePlan mixed(
      ModelConfig config, List<String> onGpus, int lanes, int onCpu, int cores, String cpu) {
    List<String> devices = new ArrayList<>(repeated(onGpus, lanes));
    devices.addAll(Collections.nCopies(onCpu, cpu));
    int all = devices.size();
    int threads = threads(config, cores, Math.max(1, onCpu));
    return new InstancePlan(devices, 1, threads, threads, all, all);
  }

  /** Creates the plan of an ensemble, which has no instances of its own. */
  static InstancePlan none() {
    return new InstancePlan(List.of(), 1, 0, 0, 0, 0);
  }

  private static List<String> repeated(List<String> devices, int lanes) {
    List<String> all = new ArrayList<>();
    devices.forEach(device -> all.addAll(Collections.nCopies(lanes, device)));
    return all;
  }

  private static int threads(ModelConfig config, int cores, int instances) {
    int configured = config.extensions().intraOpThreads();
    return configured > 0 ? configured : Math.max(1, cores / instances);
  }

  /**
   * Returns a line of {@code key: why} if executions get no more threads than usual although the
   * configuration asks for it.
   */
  Optional<String> idleThreadsWithoutEffect(ModelConfig config) {
    int asked = config.extensions().idleIntraOpThreads();
    return asked == 0 || idleThreads > threads
        ? Optional.empty()
        : Optional.of(
            "conveyor.idle_intra_op_threads: no effect, executions have %d threads at any time; it is"
                    .formatted(threads)
                + " for more than those, of models that run on the CPU only");
  }

  /** Returns how many instances there are to begin with, as the scheduler counts them. */
  public int instances() {
    return devices.size();
  }

  /** Returns true if instances come and go with the load. */
  public boolean isElastic() {
    return min < max;
  }
}
