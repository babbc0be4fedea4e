package dev.conveyor.models.process;

import dev.conveyor.models.backend.Backend;
import dev.conveyor.models.backend.LoadOptions;
import dev.conveyor.models.backend.LoadedModel;
import dev.conveyor.models.backend.ModelLoadException;
import dev.conveyor.models.device.GpuModel;
import java.io.IOException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * Loads models in worker processes: a backend like any other, whose executors survive what kills
 * theirs. Thread-safe.
 *
 * <p>An executor whose worker is gone fails every run with {@code INSTANCE_LOST}; a new executor of
 * the same model has a new worker.
 */
public final class ProcessBackend implements Backend {

  private final Workers workers;
  private final Class<? extends Backend> backend;
  private final String name;
  private final ProcessLimits limits;
  private final @Nullable GpuShare gpu;

  /**
   * Creates a backend.
   *
   * @param backend what the workers load models with; has a public constructor without parameters
   * @param name the name of that backend in configurations
   */
  public ProcessBackend(
      Workers workers, Class<? extends Backend> backend, String name, ProcessLimits limits) {
    this(workers, backend, name, limits, null);
  }

  /**
   * As the other, for models on a GPU: its workers ask the GPU backends of this program in the
   * place of that one.
   *
   * @param gpu what they may have of it, which is also the only one that they see; null for the CPU
   */
  public ProcessBackend(
      Workers workers,
      Class<? extends Backend> backend,
      String name,
      ProcessLimits limits,
      @Nullable GpuShare gpu) {
    this.workers = workers;
    this.backend = backend;
    this.name = name;
    this.limits = limits;
    this.gpu = gpu;
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public LoadedModel load(Path file, LoadOptions options) {
    FileState state = FileState.of(file);
    LoadedWorker first = start(file, options);
    return new ProcessModel(this, KeptFiles.of(file, state, workers), file, options, first);
  }

  /**
   * Loads a model in a process that is thrown away, and makes an executor there: what a model does
   * to a process when it is loaded, it does to that one.
   *
   * @param maxBatchSize as for {@link LoadedModel#newExecutor}; below 0 makes no executor
   * @throws ModelLoadException if it cannot be loaded, or the process died of it
   */
  public void verify(Path file, LoadOptions options, int maxBatchSize) {
    try (LoadedModel model = load(file, options)) {
      if (maxBatchSize >= 0) {
        model.newExecutor(maxBatchSize).close();
      }
    } catch (ModelLoadException e) {
      throw new ModelLoadException("tried in a process of its own: " + e.getMessage(), e);
    }
  }

  /** Returns where the models are; null if that is the CPU. */
  @Nullable GpuShare gpu() {
    return gpu;
  }

  /** Returns how many batches a worker runs at once: each is an executor. */
  int lanes() {
    return gpu == null ? 1 : GpuModel.LANES;
  }

  /** Starts a worker that has loaded the model. */
  LoadedWorker start(Path file, LoadOptions options) {
    WorkerProcess worker = null;
    try {
      worker = workers.start(backend, limits, options.owner(), lanes());
      return LoadedWorker.load(worker, file, options, gpu, lanes(), workers);
    } catch (WorkerLostException e) {
      close(worker);
      throw new ModelLoadException(file + ": " + e.getMessage(), e);
    } catch (IOException e) {
      close(worker);
      throw new ModelLoadException("no worker process can be started: " + e, e);
    } catch (RuntimeException | Error e) {
      close(worker);
      throw e;
    }
  }

  private static void close(@Nullable WorkerProcess worker) {
    if (worker != null) {
      worker.close();
    }
  }
}
