package dev.conveyor.models.process;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.backend.LoadOptions;
import dev.conveyor.models.backend.LoadedModel;
import dev.conveyor.models.backend.ModelExecutor;
import dev.conveyor.models.backend.ModelLoadException;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A model whose executors each have a worker. Thread-safe.
 *
 * <p>The worker that the model was loaded in first waits for the first executor; every other
 * executor starts its own.
 */
final class ProcessModel implements LoadedModel {

  private final ProcessBackend backend;
  private final Path file;
  private final FileState state;
  private final LoadOptions options;
  private final List<TensorSpec> inputs;
  private final List<TensorSpec> outputs;
  private final long reservedBytes;

  @GuardedBy("this")
  private @Nullable LoadedWorker first;

  ProcessModel(
      ProcessBackend backend, Path file, FileState state, LoadOptions options, LoadedWorker first) {
    this.backend = backend;
    this.file = file;
    this.state = state;
    this.options = options;
    this.inputs = first.inputs();
    this.outputs = first.outputs();
    this.reservedBytes = first.reservedBytes();
    this.first = first;
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
    LoadedWorker worker = takeFirst();
    if (worker != null && !worker.process().isAlive()) {
      worker.close();
      worker = null;
    }
    if (worker == null) {
      state.requireSame(file);
      worker = backend.start(file, options);
    }
    try {
      worker.prepare(maxBatchSize);
      return new ProcessExecutor(worker, maxBatchSize);
    } catch (WorkerLostException e) {
      worker.close();
      throw new ModelLoadException(file + ": " + e.getMessage(), e);
    } catch (RuntimeException | Error e) {
      worker.close();
      throw e;
    }
  }

  @Override
  public void close() {
    LoadedWorker unused = takeFirst();
    if (unused != null) {
      unused.close();
    }
  }

  private synchronized @Nullable LoadedWorker takeFirst() {
    LoadedWorker taken = first;
    first = null;
    return taken;
  }
}
