package dev.conveyor.verticles.supervisor;

import dev.conveyor.models.backend.Backend;
import dev.conveyor.models.backend.Declared;
import dev.conveyor.models.backend.LoadOptions;
import dev.conveyor.models.backend.LoadedModel;
import dev.conveyor.models.config.InstanceGroup;
import dev.conveyor.models.config.Isolation;
import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.models.process.ProcessBackend;
import dev.conveyor.models.process.ProcessLimits;
import dev.conveyor.models.process.Workers;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * Loads models where their configuration says: in this process, or each instance in one of its own.
 * Thread-safe.
 */
public final class ProcessLoads {

  private final Backend backend;
  private final Workers workers;

  /**
   * Creates it for one backend.
   *
   * @param backend of a class with a public constructor without parameters, which worker processes
   *     call
   */
  public ProcessLoads(Backend backend, Workers workers) {
    this.backend = backend;
    this.workers = workers;
  }

  /**
   * Loads a model.
   *
   * @throws dev.conveyor.models.backend.ModelLoadException if it cannot be loaded
   */
  LoadedModel load(Path file, ModelConfig config, LoadOptions options) {
    return of(config).load(file, options);
  }

  /**
   * Loads a model in a process that is thrown away, if its configuration asks for that and it is
   * not going to be in one anyway; wherever it will run, a GPU included.
   *
   * @throws dev.conveyor.models.backend.ModelLoadException if it cannot be loaded, or the process
   *     has died of it
   */
  void verify(Path file, ModelConfig config, LoadOptions options) {
    boolean verify = config.extensions().verify() == Isolation.PROCESS;
    if (verify && config.isolation() != Isolation.PROCESS) {
      isolated(config).verify(file, options, config.maxBatchSize());
    }
  }

  /** Returns what a file takes and gives, if that can be told without loading it. */
  Optional<Declared> declared(Path file) {
    return backend.declared(file);
  }

  /** Returns the backend that loads a model with this configuration. */
  Backend of(ModelConfig config) {
    return config.isolation() == Isolation.PROCESS ? isolated(config) : backend;
  }

  private ProcessBackend isolated(ModelConfig config) {
    List<Integer> gpus =
        config.instanceGroups().stream()
            .map(InstanceGroup::gpus)
            .flatMap(List::stream)
            .distinct()
            .toList();
    return new ProcessBackend(
        workers,
        backend.getClass(),
        backend.name(),
        ProcessLimits.of(config.extensions().process(), gpus));
  }
}
