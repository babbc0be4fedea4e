package dev.conveyor.models.process;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.backend.LoadOptions;
import dev.conveyor.models.backend.LoadedModel;
import dev.conveyor.models.backend.ModelExecutor;
import dev.conveyor.models.backend.ModelLoadException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A model whose instances each have a worker. Thread-safe.
 *
 * <p>On the CPU an instance is one executor. On a GPU it is as many as it has batches in flight:
 * they share a worker, which is lost with all of them. The worker that the model was loaded in
 * first waits for the first instance; every other one starts its own, from the files that the first
 * one loaded.
 *
 * <p>A worker that loses its GPU takes nothing with it but itself. Only when one that takes the
 * place of a lost one finds that it cannot use that GPU is it given up for all workers.
 */
final class ProcessModel implements LoadedModel {

  private static final int NONE = LoadedWorker.NO_LANE;

  private final ProcessBackend backend;
  private final KeptFiles files;
  private final Path file;
  private final LoadOptions options;
  private final List<TensorSpec> inputs;
  private final List<TensorSpec> outputs;
  private final long reservedBytes;
  private final boolean startsOthers;

  /** Lanes of one worker come up one after the other: the first of them starts it. */
  private final Object filling = new Object();

  /** Has lanes that nobody has taken, perhaps. */
  @GuardedBy("this")
  private @Nullable LoadedWorker open;

  private volatile boolean replaces;

  /**
   * Creates a model.
   *
   * @param first has loaded it
   * @param startsOthers if not, there are only the executors that the first worker has room for
   */
  ProcessModel(
      ProcessBackend backend,
      KeptFiles files,
      Path file,
      LoadOptions options,
      LoadedWorker first,
      boolean startsOthers) {
    this.backend = backend;
    this.files = files;
    this.file = file;
    this.options = options;
    this.inputs = first.inputs();
    this.outputs = first.outputs();
    this.reservedBytes = first.reservedBytes();
    this.startsOthers = startsOthers;
    this.open = first;
  }

  @Override
  public List<TensorSpec> inputs() {
    return inputs;
  }

  @Override
  public List<TensorSpec> outputs() {
    return outputs;
  }

  @Override
  public long reservedBytes() {
    return reservedBytes;
  }

  @Override
  public ModelExecutor newExecutor(int maxBatchSize) {
    requireGpu();
    if (backend.lanes() == 1) {
      return newLane(maxBatchSize);
    }
    synchronized (filling) {
      return newLane(maxBatchSize);
    }
  }

  private ModelExecutor newLane(int maxBatchSize) {
    LoadedWorker worker = takeOpen();
    int lane = worker == null ? NONE : enter(worker);
    if (worker == null || lane == NONE) {
      worker = start();
      lane = enter(worker);
      if (lane == NONE) {
        throw new ModelLoadException(file + ": the worker process ended once it had loaded it");
      }
    }
    try {
      worker.prepare(worker.process().line(lane), maxBatchSize);
      ModelExecutor executor = new ProcessExecutor(worker, lane, maxBatchSize);
      worker.process().whenLost(this::noteLost);
      if (startsOthers) {
        worker.noteServing();
      }
      keepOpen(worker);
      return executor;
    } catch (WorkerLostException e) {
      replaces = true;
      worker.leave();
      throw new ModelLoadException(file + ": " + e.getMessage(), e);
    } catch (RuntimeException | Error e) {
      keepOpen(worker); // It may have other lanes, which run and which are free.
      worker.leave();
      throw e;
    }
  }

  private void noteLost(Loss loss) {
    if (loss.cause() != Loss.Cause.CLOSED) {
      replaces = true;
    }
  }

  private LoadedWorker start() {
    if (!startsOthers) {
      throw new IllegalStateException(file + ": its only worker has no room for an executor");
    }
    try {
      return files.load(from -> backend.another(from, options));
    } catch (ModelLoadException e) {
      GpuShare gpu = backend.gpu();
      if (gpu != null
          && replaces
          && e.getCause() instanceof WorkerLostException lost
          && lost.loss().cause() == Loss.Cause.DEVICE_UNUSABLE) {
        gpu.place().giveUp(lost.loss().detail());
      }
      throw e;
    }
  }

  private void requireGpu() {
    GpuShare gpu = backend.gpu();
    String why = gpu == null ? null : gpu.place().givenUp();
    if (gpu != null && why != null) {
      throw gpu.place().refusal(file, why);
    }
  }

  @Override
  public void close() {
    LoadedWorker unused = takeOpen();
    if (unused != null && unused.isUnused()) {
      unused.close();
    }
    files.close();
  }

  /**
   * Takes a lane, or {@link #NONE}; a worker that died before anybody had one is closed here.
   *
   * @throws ModelLoadException if it did, and no other may take its place
   */
  private int enter(LoadedWorker worker) {
    int lane = worker.enter();
    if (lane == NONE && worker.isUnused()) {
      replaces = true;
      WorkerLostException lost = worker.process().lost(new IOException("before it was used"));
      worker.close();
      if (!startsOthers) {
        throw new ModelLoadException(file + ": " + lost.getMessage(), lost);
      }
    }
    return lane;
  }

  private synchronized @Nullable LoadedWorker takeOpen() {
    LoadedWorker taken = open;
    open = null;
    return taken;
  }

  private synchronized void keepOpen(LoadedWorker worker) {
    open = backend.lanes() == 1 ? null : worker;
  }
}
