package dev.conveyor.verticles.supervisor;

import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.backend.LoadedModel;
import dev.conveyor.models.backend.ModelExecutor;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The weights of one version, once on each device that it has instances on. Thread-safe: immutable.
 *
 * <p>Every copy takes and gives the same; the first one says what.
 */
final class DeviceWeights implements LoadedModel {

  private final Map<String, LoadedModel> byDevice;
  private final LoadedModel first;

  /** Takes over at least one copy. */
  DeviceWeights(Map<String, LoadedModel> byDevice) {
    this.byDevice = new LinkedHashMap<>(byDevice);
    this.first = byDevice.values().iterator().next();
  }

  /** Returns the copy on a device. */
  LoadedModel on(String device) {
    return byDevice.getOrDefault(device, first);
  }

  @Override
  public List<TensorSpec> inputs() {
    return first.inputs();
  }

  @Override
  public List<TensorSpec> outputs() {
    return first.outputs();
  }

  @Override
  public long reservedBytes() {
    return byDevice.values().stream().mapToLong(LoadedModel::reservedBytes).sum();
  }

  @Override
  public boolean decodesImages() {
    return byDevice.values().stream().allMatch(LoadedModel::decodesImages);
  }

  @Override
  public ModelExecutor newExecutor(int maxBatchSize) {
    return first.newExecutor(maxBatchSize);
  }

  @Override
  public void close() {
    closeAll(byDevice.values());
  }

  /** Closes every copy, whatever happens to one of them; throws what happened first. */
  static void closeAll(Collection<LoadedModel> copies) {
    RuntimeException failure = null;
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
