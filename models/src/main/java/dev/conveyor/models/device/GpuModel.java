package dev.conveyor.models.device;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.conveyor.memory.BudgetExceededException;
import dev.conveyor.memory.cuda.CudaException;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.backend.LoadedModel;
import dev.conveyor.models.backend.ModelExecutor;
import dev.conveyor.models.backend.ModelLoadException;
import dev.conveyor.models.config.ConfigException;
import dev.conveyor.models.config.ModelConfigCompleter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A model on a GPU. Thread-safe.
 *
 * <p>Each executor is a lane of an instance: the first executors share one instance, as many as it
 * may have batches in flight, the next ones another. So an instance of {@code instance_group} is
 * several executors here. The first instance is made as the model is loaded.
 */
public final class GpuModel implements LoadedModel {

  /** Batches that an instance has in flight: one is copied in, one computes, one is copied out. */
  public static final int LANES = 3;

  private static final Logger LOG = LoggerFactory.getLogger(GpuModel.class);

  private final Path file;
  private final GpuPlace place;
  private final DeviceModel model;
  private final GpuLoadOptions options;
  private final int priority;
  private final boolean decodes;

  /** This, until it is closed, and instances that were given up and may use the weights still. */
  private final AtomicInteger users = new AtomicInteger(1);

  @GuardedBy("this")
  private @Nullable LaneGroup filling;

  private GpuModel(
      Path file,
      GpuPlace place,
      DeviceModel model,
      GpuLoadOptions options,
      int priority,
      boolean decodes) {
    this.file = file;
    this.place = place;
    this.model = model;
    this.options = options;
    this.priority = priority;
    this.decodes = decodes;
  }

  /**
   * Loads a model with the first backend that can.
   *
   * @param backends the best first; at least one
   * @param options of the same device as {@code place}
   * @param priority of its streams; 0 is the lowest
   * @throws ModelLoadException if none can; nothing stays allocated
   */
  public static GpuModel load(
      Path file, GpuPlace place, List<GpuBackend> backends, GpuLoadOptions options, int priority) {
    boolean decodes =
        ImageSupport.decides(options.owner(), place, options.config().extensions().preprocessing());
    return load(file, place, backends, options, priority, decodes);
  }

  /** As the other, but images reach it decoded, whatever the configuration says. */
  public static GpuModel loadForTensors(
      Path file, GpuPlace place, List<GpuBackend> backends, GpuLoadOptions options, int priority) {
    return load(file, place, backends, options, priority, false);
  }

  private static GpuModel load(
      Path file,
      GpuPlace place,
      List<GpuBackend> backends,
      GpuLoadOptions options,
      int priority,
      boolean decodes) {
    List<String> reasons = new ArrayList<>();
    @Nullable RuntimeException last = null;
    for (GpuBackend backend : backends) {
      try {
        place.use();
        place.trimSteps(); // What is only kept for later must not be in the way.
        DeviceModel loaded = backend.load(file, options);
        GpuModel model = new GpuModel(file, place, loaded, options, priority, decodes);
        model.prepare();
        if (!reasons.isEmpty()) {
          LOG.info(
              "{}: {} serves; {}", options.owner(), backend.name(), String.join("; ", reasons));
        }
        return model;
      } catch (CudaException e) {
        if (e.isSticky()) {
          place.markLost(String.valueOf(e.getMessage()));
          throw place.refusal(file, String.valueOf(e.getMessage()));
        }
        reasons.add(backend.name() + ": " + e.getMessage());
      } catch (ModelLoadException | BudgetExceededException | IllegalArgumentException e) {
        reasons.add(backend.name() + ": " + e.getMessage());
        last = e;
      }
    }
    throw new ModelLoadException(
        "%s on %s: %s".formatted(file, place.gpu().device(), String.join("; ", reasons)), last);
  }

  /**
   * Makes the first instance: a model whose weights fit and whose slabs do not has no room here.
   * Closes it all if that fails.
   */
  private void prepare() {
    int maxBatchSize;
    try {
      maxBatchSize =
          ModelConfigCompleter.complete(options.config(), inputs(), outputs())
              .config()
              .maxBatchSize();
    } catch (ConfigException e) {
      return; // Whoever loads it completes the configuration, too, and knows its file.
    }
    try {
      synchronized (this) {
        filling = newGroup(maxBatchSize);
      }
    } catch (RuntimeException | Error e) {
      try {
        model.close();
      } catch (RuntimeException alsoFailed) {
        e.addSuppressed(alsoFailed);
      }
      throw e;
    }
  }

  private LaneGroup newGroup(int maxBatchSize) {
    DeviceLayout layout = new DeviceLayout(inputs(), outputs(), maxBatchSize);
    if (!layout.isFixed() && !model.takesVaryingShapes()) {
      throw new ModelLoadException("takes only shapes whose dimensions but the batch are fixed");
    }
    long outputBytes = layout.hostBytes(layout.maxItems());
    if (outputBytes > place.pinned().maxBytes()) {
      throw new ModelLoadException(
          "a batch of %d has %d bytes of outputs, and at most %d are pinned for all batches; take a smaller max_batch_size"
              .formatted(layout.maxItems(), outputBytes, place.pinned().maxBytes()));
    }
    place.trimSteps(); // What is only kept for later must not be in the way.
    return new LaneGroup(
        place,
        options.budget(),
        model,
        layout,
        LANES,
        priority,
        options.owner(),
        decodes,
        lateUser());
  }

  @Override
  public List<TensorSpec> inputs() {
    return model.inputs();
  }

  @Override
  public List<TensorSpec> outputs() {
    return model.outputs();
  }

  @Override
  public long reservedBytes() {
    return model.reservedBytes();
  }

  @Override
  public boolean decodesImages() {
    return decodes;
  }

  @Override
  public synchronized ModelExecutor newExecutor(int maxBatchSize) {
    String why = place.lost();
    if (why != null) {
      throw place.refusal(file, why);
    }
    try {
      place.use();
      LaneGroup group = filling;
      Lane lane = group == null ? null : group.newLane(maxBatchSize);
      if (lane == null) {
        closeUnused();
        group = newGroup(maxBatchSize);
        filling = group;
        lane = group.newLane(maxBatchSize);
      }
      if (lane == null) {
        throw place.refusal(file, "the instance was lost as it was made");
      }
      return lane;
    } catch (CudaException | BudgetExceededException | IllegalArgumentException e) {
      throw new ModelLoadException(
          "%s: no instance on %s for batches of up to %d: %s"
              .formatted(file, place.gpu().device(), Math.max(1, maxBatchSize), e.getMessage()),
          e);
    }
  }

  /**
   * Frees the weights, also those of a device that is lost. An execution that was given up may read
   * them still: then they stay, on the device and in the ledger, until it ends, if it does.
   */
  @Override
  public void close() {
    letGo();
  }

  private GivenUp lateUser() {
    return new GivenUp() {
      @Override
      public void begins() {
        users.incrementAndGet();
      }

      @Override
      public void ends() {
        letGo();
      }
    };
  }

  private void letGo() {
    if (users.decrementAndGet() > 0) {
      return;
    }
    place.cuda().useDeviceEvenIfLost(place.gpu().ordinal());
    try {
      closeUnused();
    } finally {
      model.close();
    }
  }

  /** An instance that was made and that no executor was asked of has nobody else to close it. */
  private synchronized void closeUnused() {
    LaneGroup group = filling;
    filling = null;
    if (group != null) {
      group.closeUnused();
    }
  }
}
