package dev.conveyor.verticles.supervisor;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.conveyor.memory.MemoryBudget.Reservation;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.backend.LoadedModel;
import dev.conveyor.models.backend.ModelExecutor;
import dev.conveyor.models.backend.ModelLoadException;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The weights of one version, once on each device that it has instances on. Thread-safe.
 *
 * <p>Every copy takes and gives the same; the first one says what.
 */
final class DeviceWeights implements LoadedModel {

  private final List<TensorSpec> inputs;
  private final List<TensorSpec> outputs;
  private final boolean decodes;

  @GuardedBy("this")
  private final Map<String, LoadedModel> byDevice;

  @GuardedBy("this")
  private @Nullable Reservation held;

  /** Takes over at least one copy. */
  DeviceWeights(Map<String, LoadedModel> byDevice) {
    this.byDevice = new LinkedHashMap<>(byDevice);
    LoadedModel first = byDevice.values().iterator().next();
    this.inputs = first.inputs();
    this.outputs = first.outputs();
    this.decodes = byDevice.values().stream().allMatch(LoadedModel::decodesImages);
  }

  /**
   * Returns the copy on a device.
   *
   * @throws ModelLoadException if there is none
   */
  synchronized LoadedModel on(String device) {
    LoadedModel copy = byDevice.get(device);
    if (copy == null) {
      throw new ModelLoadException("its weights are not on " + device);
    }
    return copy;
  }

  /** Takes over memory, once, that is given back with the weights. */
  synchronized void hold(Reservation reserved) {
    held = reserved;
  }

  /** Takes over one more copy. */
  synchronized void add(String device, LoadedModel copy) {
    byDevice.put(device, copy);
  }

  /** Hands a copy over, to be closed; empty if there is none. */
  synchronized Optional<LoadedModel> remove(String device) {
    return Optional.ofNullable(byDevice.remove(device));
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
  public synchronized long reservedBytes() {
    return byDevice.values().stream().mapToLong(LoadedModel::reservedBytes).sum()
        + (held == null ? 0 : held.bytes());
  }

  @Override
  public boolean decodesImages() {
    return decodes;
  }

  @Override
  public synchronized ModelExecutor newExecutor(int maxBatchSize) {
    return byDevice.values().iterator().next().newExecutor(maxBatchSize);
  }

  /** Closes every copy; what comes later is the caller's. */
  @Override
  public void close() {
    List<LoadedModel> copies;
    synchronized (this) {
      copies = List.copyOf(byDevice.values());
      byDevice.clear();
      if (held != null) {
        held.close();
      }
    }
    closeAll(copies);
  }

  /** Closes every copy, whatever happens to one of them; throws what happened first. */
  static void closeAll(Collection<LoadedModel> copies) {
    @Nullable RuntimeException failure = null;
    for (LoadedModel copy : copies) {
      try {
        copy.close();
      } catch (RuntimeException e) {
        if (failure == null) {
          failure = e;
        } else {
          failure.addSuppressed(e);
        }
      }
    }
    if (failure != null) {
      throw failure;
    }
  }
}
