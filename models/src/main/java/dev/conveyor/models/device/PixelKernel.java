package dev.conveyor.models.device;

import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.KernelModule;
import org.jspecify.annotations.Nullable;

/**
 * One kernel on one device, compiled and loaded when it is needed first.
 *
 * <p>{@link #code} is thread-safe; everything else is guarded by its {@link DevicePixels}, on a
 * thread that has set the device.
 */
final class PixelKernel {

  private final String source;
  private final String name;
  private final int argumentBytes;

  /** Kept, because to look for the compiler takes longer than the work. */
  private volatile byte @Nullable [] code;

  private @Nullable KernelModule module;

  /**
   * Takes nothing yet.
   *
   * @param source file beside this class
   * @param name of the kernel in it
   * @param argumentBytes of its structure
   */
  PixelKernel(String source, String name, int argumentBytes) {
    this.source = source;
    this.name = name;
    this.argumentBytes = argumentBytes;
  }

  /**
   * Returns its code. The first time takes a second.
   *
   * @throws dev.conveyor.memory.cuda.CudaException if it cannot be compiled
   */
  byte[] code(Cuda cuda, int device) {
    byte[] known = code;
    if (known == null) {
      known = Kernels.code(source, cuda, device);
      code = known;
    }
    return known;
  }

  /**
   * Returns it on the device.
   *
   * @throws dev.conveyor.memory.cuda.CudaException if the device refuses it
   */
  KernelModule loaded(byte[] machineCode) {
    KernelModule there = module;
    if (there == null) {
      there = new KernelModule(machineCode, name, argumentBytes);
      module = there;
    }
    return there;
  }

  /** Gives it back; it does not run any more. */
  void close() {
    KernelModule there = module;
    module = null;
    if (there != null) {
      there.close();
    }
  }
}
