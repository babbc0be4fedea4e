package dev.conveyor.models.device;

import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.CudaException;
import dev.conveyor.memory.cuda.KernelCompiler;
import dev.conveyor.memory.cuda.KernelModule;
import dev.conveyor.models.Crops;
import dev.conveyor.models.DataType;
import java.nio.ByteBuffer;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Cuts crops on one device, on a stream of its own.
 *
 * <p>{@link #code} and {@link #isRefused} are thread-safe; everything else is guarded by the pool
 * whose memory it reads and writes, on a thread that has set the device.
 */
final class DeviceCrops {

  private static final Logger LOG = LoggerFactory.getLogger(DeviceCrops.class);
  private static final String SOURCE = "crop.cu";
  private static final String KERNEL = "crop";
  private static final int BLOCK_WIDTH = 32;
  private static final int BLOCK_HEIGHT = 8;

  /** Of {@code struct crop}. */
  private static final int ARGUMENT_BYTES = 56;

  private static final int BOX = 16;
  private static final int NUMBERS = 32;

  private final Cuda cuda;
  private final int device;
  private volatile boolean isRefused;

  /** Kept, because to look for the compiler takes longer than a crop. */
  private volatile byte @Nullable [] code;

  private @Nullable KernelModule kernel;
  private long stream;

  DeviceCrops(Cuda cuda, int device) {
    this.cuda = cuda;
    this.device = device;
  }

  /** Returns whether it was found out that the device, or this machine, does not do it. */
  boolean isRefused() {
    return isRefused;
  }

  /** Returns the kernel's code; null, which a line says, if there is none. May take a second. */
  byte @Nullable [] code() {
    byte[] known = code;
    if (isRefused || known != null) {
      return isRefused ? null : known;
    }
    try {
      String reason = KernelCompiler.unavailable();
      if (reason.isEmpty()) {
        byte[] made = Kernels.code(SOURCE, cuda, device);
        code = made;
        return made;
      }
      refuse(reason);
    } catch (CudaException e) {
      refuse(String.valueOf(e.getMessage()));
    }
    return null;
  }

  private void refuse(String reason) {
    isRefused = true;
    LOG.info("GPU{}: crops are cut on the CPU: {}", device, reason);
  }

  /**
   * Returns the stream on which crops are cut.
   *
   * @return 0 if the device refuses the kernel, which a line says, or has no memory for it now
   * @throws CudaException if the device is lost
   */
  long stream(byte[] code) {
    if (isRefused) {
      return 0; // by another crop, while this one was about to begin
    }
    try {
      if (stream == 0) {
        stream = cuda.newStream(0);
      }
      if (kernel == null) {
        kernel = new KernelModule(code, KERNEL, ARGUMENT_BYTES);
      }
      return stream;
    } catch (CudaException e) {
      if (e.isSticky()) {
        throw e;
      }
      if (!e.isOutOfMemory()) {
        refuse(String.valueOf(e.getMessage()));
      }
      return 0;
    }
  }

  /**
   * Enqueues crops, behind what writes their source, and tells with the target's event when they
   * are there; also if this fails, as some may have been enqueued.
   */
  void enqueue(ResidentBytes from, Crops crops, ResidentBlock to) {
    try {
      cuda.waitFor(from.block().written, stream);
      List<Crops.Box> boxes = crops.boxes();
      for (int i = 0; i < boxes.size(); i++) {
        launch(
            crops,
            boxes.get(i),
            from.address() + i * crops.sourceImageBytes(),
            to.address + i * crops.imageBytes());
      }
    } finally {
      cuda.record(to.written, stream);
    }
  }

  private void launch(Crops crops, Crops.Box box, long source, long target) {
    KernelModule launched = kernel;
    if (launched == null) {
      throw new IllegalStateException("the kernel for crops is not loaded");
    }
    ByteBuffer a = launched.argument();
    a.putLong(0, source).putLong(Long.BYTES, target);
    float[] corners = {box.left(), box.top(), box.right(), box.bottom()};
    for (int i = 0; i < corners.length; i++) {
      a.putFloat(BOX + Float.BYTES * i, corners[i]);
    }
    int[] numbers = {
      crops.sourceWidth(),
      crops.sourceHeight(),
      crops.width(),
      crops.height(),
      crops.planes(),
      crops.type() == DataType.FP32 ? 1 : 0
    };
    for (int i = 0; i < numbers.length; i++) {
      a.putInt(NUMBERS + Integer.BYTES * i, numbers[i]);
    }
    launched.launch(
        (crops.width() + BLOCK_WIDTH - 1) / BLOCK_WIDTH,
        (crops.height() + BLOCK_HEIGHT - 1) / BLOCK_HEIGHT,
        BLOCK_WIDTH,
        BLOCK_HEIGHT,
        stream);
  }

  /** Waits for every crop so far. */
  void await() {
    if (stream != 0) {
      cuda.awaitStream(stream);
    }
  }

  /**
   * Gives everything back; nothing of it runs any more.
   *
   * @throws CudaException if the device is lost
   */
  void close() {
    KernelModule loaded = kernel;
    long used = stream;
    kernel = null;
    stream = 0;
    if (loaded != null) {
      loaded.close();
    }
    if (used != 0) {
      cuda.destroyStream(used);
    }
  }
}
