package dev.conveyor.models.process;

import dev.conveyor.models.backend.Backend;
import dev.conveyor.models.backend.LoadOptions;
import dev.conveyor.models.backend.LoadedModel;
import dev.conveyor.models.backend.ModelLoadException;
import dev.conveyor.models.device.GpuModel;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Loads models in worker processes: a backend like any other, whose executors survive what kills
 * theirs. Thread-safe.
 *
 * <p>An executor whose worker is gone fails every run with {@code INSTANCE_LOST}; a new executor of
 * the same model has a new worker.
 */
public final class ProcessBackend implements Backend {

  private static final Logger LOG = LoggerFactory.getLogger(ProcessBackend.class);

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
    return model(file, options, state, start(file, options), true);
  }

  private ProcessModel model(
      Path file, LoadOptions options, FileState state, LoadedWorker first, boolean startsOthers) {
    KeptFiles kept = KeptFiles.of(file, state, workers);
    return new ProcessModel(this, kept, file, options, first, startsOthers);
  }

  /**
   * Loads a model in a process that is thrown away, and tries it there: what a model does to a
   * process when it is loaded and run, it does to that one.
   *
   * @param limit longest that the trial may take, once the model is loaded; then the process is
   *     killed
   * @param trial makes an executor, runs it, and closes it
   * @throws ModelLoadException if it cannot be loaded, the trial throws that, or the process died
   */
  public void verify(Path file, LoadOptions options, Duration limit, Consumer<LoadedModel> trial) {
    try {
      FileState state = FileState.of(file);
      LoadedWorker first = start(file, options);
      WorkerProcess process = first.process();
      CompletableFuture<Void> end =
          CompletableFuture.runAsync(
              () -> process.kill(tooLong(process, limit)),
              CompletableFuture.delayedExecutor(limit.toMillis(), TimeUnit.MILLISECONDS));
      try (LoadedModel model = model(file, options, state, first, false)) {
        trial.accept(model);
      } finally {
        end.cancel(false);
      }
    } catch (ModelLoadException e) {
      throw new ModelLoadException("tried in a process of its own: " + e.getMessage(), e);
    }
  }

  private static Loss tooLong(WorkerProcess process, Duration limit) {
    return new Loss(
        Loss.Cause.LOAD_TIMEOUT,
        "worker process %d did not run one batch within %d ms"
            .formatted(process.pid(), limit.toMillis()));
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
      worker = workers.start(spec(), options.owner());
      return LoadedWorker.load(worker, file, options, gpu, workers);
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

  /**
   * Has one more worker load a model that one has loaded: a spare, or else a new one. Not for the
   * first, since nobody waits for a load: what served before it still does.
   */
  LoadedWorker another(Path file, LoadOptions options) {
    WorkerProcess spare = workers.takeSpare(spec());
    if (spare == null) {
      return start(file, options);
    }
    try {
      return LoadedWorker.load(spare, file, options, gpu, workers);
    } catch (WorkerLostException e) {
      if (!e.loss().cause().mayBeOlderThanTheLoad()) {
        throw new ModelLoadException(file + ": " + e.getMessage(), e);
      }
      LOG.info("{}: the spare worker could not load it, a new one is started", file, e);
      return start(file, options);
    }
  }

  private WorkerSpec spec() {
    return new WorkerSpec(backend, limits, lanes());
  }

  private static void close(@Nullable WorkerProcess worker) {
    if (worker != null) {
      worker.close();
    }
  }
}
