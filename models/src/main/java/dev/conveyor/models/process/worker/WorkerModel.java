package dev.conveyor.models.process.worker;

import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.models.backend.Backend;
import dev.conveyor.models.backend.LoadOptions;
import dev.conveyor.models.backend.LoadedModel;
import dev.conveyor.models.config.ModelConfigReader;
import dev.conveyor.models.process.wire.Message;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The model of a worker, which all of its lanes run, and what it holds. Thread-safe: loaded by the
 * first lane before the others are asked for anything.
 */
final class WorkerModel {

  private static final Logger LOG = LoggerFactory.getLogger(WorkerModel.class);

  private final Backend backend;
  private volatile @Nullable LoadedModel model;
  private volatile @Nullable MemoryBudget budget;
  private volatile @Nullable WorkerGpu gpu;

  /**
   * Creates it without a model.
   *
   * @param backend for models on the CPU
   */
  WorkerModel(Backend backend) {
    this.backend = backend;
  }

  /** Gets ready for a load, which works without it, too. */
  void warmUp() {
    try {
      backend.warmUp();
    } catch (RuntimeException | LinkageError e) {
      LOG.info("the first load will take longer: {}", e.toString());
    }
  }

  /**
   * Does what a message says that asks for a load.
   *
   * @param beforeMeasuring as in {@link dev.conveyor.models.device.GpuLoadOptions}
   */
  LoadedModel load(Message message, Runnable beforeMeasuring) throws IOException {
    Path file = Path.of(message.readString());
    String owner = message.readString();
    int threads = message.readInt();
    MemoryBudget host = new MemoryBudget("the worker", Math.max(1, message.readLong()));
    budget = host;
    Map<String, String> parameters = new HashMap<>();
    for (int left = message.readInt(); left > 0; left--) {
      parameters.put(message.readString(), message.readString());
    }
    LoadedModel loaded =
        message.readInt() == 0
            ? backend.load(file, new LoadOptions(owner, threads, host, parameters))
            : loadOnGpu(message, file, owner, host, beforeMeasuring);
    model = loaded;
    return loaded;
  }

  private LoadedModel loadOnGpu(
      Message message, Path file, String owner, MemoryBudget host, Runnable beforeMeasuring)
      throws IOException {
    String config = message.readString();
    long bytes = message.readLong();
    boolean spins = message.readInt() != 0;
    WorkerGpu found = WorkerGpu.open(bytes, host, spins);
    gpu = found;
    String name = owner.substring(0, Math.max(0, owner.indexOf('/')));
    return found.load(file, owner, ModelConfigReader.read(name, config), beforeMeasuring);
  }

  /**
   * Returns the model.
   *
   * @throws IllegalStateException if none is loaded
   */
  LoadedModel model() {
    LoadedModel loaded = model;
    if (loaded == null) {
      throw new IllegalStateException("no model is loaded");
    }
    return loaded;
  }

  /** Returns the GPU that it is on; null if that is the CPU, or nothing is loaded. */
  @Nullable WorkerGpu gpu() {
    return gpu;
  }

  /** Returns the bytes that it holds of the host's memory. */
  long heldBytes() {
    MemoryBudget host = budget;
    return host == null ? 0 : host.reservedBytes();
  }

  /** Returns the bytes that it holds of the GPU's memory, by their tags. */
  Map<String, Long> heldOnGpu() {
    WorkerGpu found = gpu;
    return found == null ? Map.of() : found.budget().holders();
  }

  /** Returns the bytes that it holds of the GPU's memory. */
  long bytesOnGpu() {
    WorkerGpu found = gpu;
    return found == null ? 0 : found.budget().reservedBytes();
  }
}
