package dev.conveyor.models.device;

import dev.conveyor.models.config.ModelConfig;
import java.nio.file.Path;

/**
 * Opens model files on GPUs; one per library that computes there. Thread-safe.
 *
 * <p>Found by {@link java.util.ServiceLoader}, so a class of this kind has a public constructor
 * without parameters, which must not load natives: machines without a GPU make it too. What runs
 * its batches is the same for all of them ({@link Pipeline}); a backend only loads the file and
 * enqueues computations.
 */
public interface GpuBackend {

  /** Returns the name in configurations, for example {@code tensorrt}. */
  String name();

  /**
   * Returns what changes when the same model may run differently: the library's version. Empty
   * where that is not known.
   */
  default String version() {
    return "";
  }

  /**
   * Returns whether this can open a file with such a configuration. Cheap: looks at {@code backend}
   * and {@code platform}, the parameters and the file's name, not at the machine. Several may; the
   * one with the highest {@link #preference} that can be used is asked first.
   */
  boolean takes(Path file, ModelConfig config);

  /** Returns its rank among those that take a model; the higher goes first. */
  default int preference() {
    return 0;
  }

  /**
   * Returns why it cannot be used on this machine, in one line, such as a library that is missing;
   * empty if it can. May load natives; blocking, for a second or so.
   */
  String unavailable();

  /**
   * Loads the weights onto a device. Blocking, for seconds: never called on an event loop. The
   * calling thread has set the device.
   *
   * @throws dev.conveyor.models.backend.ModelLoadException if the file cannot be used; the message
   *     names it and says why; nothing stays allocated
   * @throws dev.conveyor.memory.cuda.CudaException likewise
   * @throws dev.conveyor.memory.BudgetExceededException likewise
   */
  DeviceModel load(Path file, GpuLoadOptions options);
}
