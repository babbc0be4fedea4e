package dev.conveyor.models.device;

import dev.conveyor.memory.cuda.CudaException;
import dev.conveyor.memory.cuda.DevicePool;
import dev.conveyor.models.backend.ModelLoadException;
import dev.conveyor.models.config.Preprocessing;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Decides whether a model's images are decoded on the GPU that runs it. Stateless. */
final class ImageSupport {

  private static final Logger LOG = LoggerFactory.getLogger(ImageSupport.class);

  private ImageSupport() {}

  /**
   * Returns whether they are.
   *
   * @param owner model and version, for the log
   * @throws ModelLoadException if they must be, and cannot
   */
  static boolean decides(String owner, GpuPlace place, List<Preprocessing> blocks) {
    if (blocks.stream().allMatch(b -> b.device() == Preprocessing.Device.CPU)) {
      return false;
    }
    String reason = DeviceImages.unavailable(place.cuda(), place.gpu().ordinal());
    if (reason.isEmpty()) {
      return true;
    }
    if (blocks.stream().anyMatch(b -> b.device() == Preprocessing.Device.GPU)) {
      throw new ModelLoadException(
          "conveyor.preprocessing.device: GPU cannot be had: %s; AUTO takes the CPU then"
              .formatted(reason));
    }
    LOG.warn("{}: images are decoded on the CPU: {}", owner, reason);
    return false;
  }

  /**
   * Returns what decodes the images of an instance; null if the device refuses, which a line says:
   * then the thread that submits its batches does it.
   *
   * @throws CudaException if the device is lost
   */
  static @Nullable DeviceImages create(String owner, GpuPlace place, DevicePool pool, long stream) {
    try {
      return new DeviceImages(place.cuda(), place.gpu().ordinal(), pool, stream);
    } catch (CudaException e) {
      if (e.isSticky()) {
        throw e;
      }
      LOG.warn("{}: an instance on a GPU decodes images on the CPU: {}", owner, e.getMessage());
      return null;
    }
  }
}
