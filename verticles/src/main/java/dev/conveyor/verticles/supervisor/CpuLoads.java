package dev.conveyor.verticles.supervisor;

import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.memory.ThreadPriority;
import dev.conveyor.models.backend.LoadOptions;
import dev.conveyor.models.backend.LoadedModel;
import dev.conveyor.models.backend.WideModel;
import dev.conveyor.models.config.Isolation;
import dev.conveyor.models.config.ModelConfig;
import java.nio.file.Path;

/**
 * Loads models onto the CPU: once for the threads that an instance has at any time, and once more
 * where it has others while nobody else computes. Thread-safe; loading blocks.
 */
final class CpuLoads {

  private final ProcessLoads backends;

  CpuLoads(ProcessLoads backends) {
    this.backends = backends;
  }

  /**
   * Loads a model.
   *
   * @param owner tag of what it takes of the budget
   * @param background whether other models are in service, which must not feel the load
   */
  LoadedModel load(
      Path file,
      ModelConfig config,
      String owner,
      InstancePlan plan,
      MemoryBudget budget,
      boolean background) {
    LoadedModel usual = withThreads(file, config, owner, plan.threads(), budget, background);
    if (plan.idleThreads() == plan.threads()) {
      return usual;
    }
    try {
      LoadedModel wide = withThreads(file, config, owner, plan.idleThreads(), budget, background);
      return new WideModel(usual, wide);
    } catch (RuntimeException | Error e) {
      usual.close();
      throw e;
    }
  }

  private LoadedModel withThreads(
      Path file,
      ModelConfig config,
      String owner,
      int threads,
      MemoryBudget budget,
      boolean background) {
    LoadOptions options = new LoadOptions(owner, threads, budget, config.parameters());
    // A process keeps the priority that it was born with; it would serve at it.
    boolean lowered = background && config.isolation() != Isolation.PROCESS;
    return lowered
        ? ThreadPriority.lowered(threads > 1, () -> backends.load(file, config, options))
        : backends.load(file, config, options);
  }
}
