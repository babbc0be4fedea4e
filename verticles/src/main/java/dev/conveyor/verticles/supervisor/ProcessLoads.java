package dev.conveyor.verticles.supervisor;

import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.models.backend.Backend;
import dev.conveyor.models.backend.Declared;
import dev.conveyor.models.backend.LoadOptions;
import dev.conveyor.models.backend.LoadedModel;
import dev.conveyor.models.config.Isolation;
import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.models.process.FileState;
import dev.conveyor.models.process.GpuShare;
import dev.conveyor.models.process.ProcessBackend;
import dev.conveyor.models.process.ProcessLimits;
import dev.conveyor.models.process.Workers;
import dev.conveyor.scheduler.isolation.ExecutionLimit;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.ServiceLoader;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Loads models where their configuration says: in this process, or each instance in one of its own.
 * Thread-safe.
 */
public final class ProcessLoads {

  /** As an execution of a model that nothing is known about. */
  private static final Duration TRIAL = Duration.ofNanos(ExecutionLimit.DEFAULT.unknownNs());

  private final Backend backend;
  private final Workers workers;

  /** The backend's class has a constructor without parameters, which worker processes call. */
  private ProcessLoads(Backend backend, Workers workers) {
    this.backend = backend;
    this.workers = workers;
  }

  /**
   * Creates it for the backend on the class path, found by {@link ServiceLoader}.
   *
   * @throws IllegalStateException if there is none
   */
  public static ProcessLoads find(Workers workers) {
    Backend backend =
        ServiceLoader.load(Backend.class)
            .findFirst()
            .orElseThrow(() -> new IllegalStateException("no backend on the class path"));
    return new ProcessLoads(backend, workers);
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
   * Loads and tries a model in a process that is thrown away, if its configuration asks for that
   * and it is not going to be in one anyway; on the CPU, wherever it will run.
   *
   * @param trial makes an executor, runs it, and closes it
   * @return refuses files that are not those that were tried, with a {@code ModelLoadException}; to
   *     be asked before they are loaded and after that. Without a trial it refuses nothing
   * @throws dev.conveyor.models.backend.ModelLoadException if it cannot be loaded, or the process
   *     has died of it
   */
  Runnable verify(Path file, ModelConfig config, LoadOptions options, Consumer<LoadedModel> trial) {
    boolean verify = config.extensions().verify() == Isolation.PROCESS;
    if (!verify || config.isolation() == Isolation.PROCESS) {
      return () -> {};
    }
    FileState tried = FileState.of(file);
    isolated(config).verify(file, options, TRIAL, trial);
    return tried::requireSame;
  }

  /** Returns what a file takes and gives, if that can be told without loading it. */
  Optional<Declared> declared(Path file) {
    return backend.declared(file);
  }

  /** Returns the backend that loads a model with this configuration. */
  Backend of(ModelConfig config) {
    return config.isolation() == Isolation.PROCESS ? isolated(config) : backend;
  }

  /**
   * Loads a model onto a GPU, each instance in a process of its own.
   *
   * @param owner {@code model/version}
   * @param host ledger of the host, or the model's part of it
   * @param share what they may have of the GPU
   * @throws dev.conveyor.models.backend.ModelLoadException if it cannot be loaded
   */
  LoadedModel loadOnGpu(Path file, String owner, MemoryBudget host, GpuShare share) {
    ModelConfig config = share.config();
    LoadOptions options = new LoadOptions(owner, 1, host, config.parameters());
    return isolated(config, share).load(file, options);
  }

  private ProcessBackend isolated(ModelConfig config) {
    return isolated(config, null);
  }

  private ProcessBackend isolated(ModelConfig config, @Nullable GpuShare share) {
    String visible = share == null ? "" : share.place().gpu().uuid();
    return new ProcessBackend(
        workers,
        backend.getClass(),
        backend.name(),
        ProcessLimits.of(config.extensions().process(), visible),
        share);
  }
}
