package dev.conveyor.models.device;

import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.CudaException;
import dev.conveyor.memory.cuda.KernelCompiler;
import dev.conveyor.memory.cuda.KernelModule;
import dev.conveyor.models.Crops;
import dev.conveyor.models.DataType;
import dev.conveyor.models.Normalization;
import dev.conveyor.models.PixelWork;
import java.nio.ByteBuffer;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Cuts crops and normalises images on one device, on a stream of its own.
 *
 * <p>{@link #code}, {@link #isRefused} and {@link #await} are thread-safe; for everything else
 * {@link ResidentPixels} holds its lock, on a thread that has set the device.
 */
final class DevicePixels {

  private static final Logger LOG = LoggerFactory.getLogger(DevicePixels.class);
  private static final int BLOCK_WIDTH = 32;
  private static final int BLOCK_HEIGHT = 8;

  /** Of {@code struct crop}. */
  private static final int CROP_NUMBERS = 16;

  private static final int BOXES = 40;
  private static final int BOX_BYTES = 16;
  private static final int MOST_BOXES = 240;
  private static final int CROP_BYTES = BOXES + BOX_BYTES * MOST_BOXES;

  /** Of {@code struct normalization}. */
  private static final int NORMALIZATION_BYTES = 176;

  private static final int COUNT = 16;
  private static final int NORMALIZATION_NUMBERS = 24;
  private static final int MEAN = 44;
  private static final int MOST_CHANNELS = 16;
  private static final int SCALE = MEAN + Float.BYTES * MOST_CHANNELS;

  private final Cuda cuda;
  private final int device;
  private final PixelKernel crop = new PixelKernel("crop.cu", "crop", CROP_BYTES);
  private final PixelKernel normalize =
      new PixelKernel("normalize.cu", "normalize", NORMALIZATION_BYTES);
  private volatile boolean isRefused;
  private volatile long stream;

  DevicePixels(Cuda cuda, int device) {
    this.cuda = cuda;
    this.device = device;
  }

  /** Returns whether it was found out that the device, or this machine, does not do it. */
  boolean isRefused() {
    return isRefused;
  }

  /**
   * Returns the code of the kernel for some work; null if there is none, which a line says, or it
   * is too much for the kernel. May take a second.
   */
  byte @Nullable [] code(PixelWork work) {
    if (isRefused || !fits(work)) {
      return null;
    }
    try {
      String reason = KernelCompiler.unavailable();
      if (reason.isEmpty()) {
        return kernel(work).code(cuda, device);
      }
      refuse(reason);
    } catch (CudaException e) {
      refuse(String.valueOf(e.getMessage()));
    }
    return null;
  }

  private static boolean fits(PixelWork work) {
    return !(work instanceof Normalization normalization)
        || Math.max(normalization.mean().size(), normalization.scale().size()) <= MOST_CHANNELS;
  }

  private PixelKernel kernel(PixelWork work) {
    return work instanceof Crops ? crop : normalize;
  }

  private void refuse(String reason) {
    isRefused = true;
    LOG.info("GPU{}: crops are cut, and images normalised, on the CPU: {}", device, reason);
  }

  /**
   * Returns the stream on which some work is done.
   *
   * @param code of its kernel
   * @return 0 if the device refuses the kernel, which a line says, or has no memory for it now
   * @throws CudaException if the device is lost
   */
  long stream(PixelWork work, byte[] code) {
    if (isRefused) {
      return 0; // by other work, while this was about to begin
    }
    try {
      if (stream == 0) {
        stream = cuda.newStream(0);
      }
      KernelModule unused = kernel(work).loaded(code);
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
   * Enqueues work, behind what writes its source, and tells with the target's event when it is
   * done; also if this fails, as some may have been enqueued.
   */
  void enqueue(ResidentBytes from, PixelWork work, byte[] code, ResidentBlock to) {
    try {
      cuda.waitFor(from.block().written, stream);
      KernelModule loaded = kernel(work).loaded(code);
      if (work instanceof Crops crops) {
        for (int first = 0; first < crops.boxes().size(); first += MOST_BOXES) {
          long source = from.address() + first * crops.sourceImageBytes();
          launch(loaded, crops, first, source, to.address + first * crops.imageBytes());
        }
      } else if (work instanceof Normalization normalization) {
        launch(loaded, normalization, from.address(), to.address);
      }
    } finally {
      cuda.record(to.written, stream);
    }
  }

  private void launch(KernelModule kernel, Crops crops, int first, long source, long target) {
    int count = Math.min(MOST_BOXES, crops.boxes().size() - first);
    ByteBuffer a = kernel.argument();
    a.putLong(0, source).putLong(Long.BYTES, target);
    for (int i = 0; i < count; i++) {
      Crops.Box box = crops.boxes().get(first + i);
      int at = BOXES + BOX_BYTES * i;
      putFloats(a, at, List.of(box.left(), box.top(), box.right(), box.bottom()));
    }
    putInts(
        a,
        CROP_NUMBERS,
        crops.sourceWidth(),
        crops.sourceHeight(),
        crops.width(),
        crops.height(),
        crops.planes(),
        crops.type() == DataType.FP32 ? 1 : 0);
    kernel.launch(
        (crops.width() + BLOCK_WIDTH - 1) / BLOCK_WIDTH,
        (crops.height() + BLOCK_HEIGHT - 1) / BLOCK_HEIGHT,
        count,
        BLOCK_WIDTH,
        BLOCK_HEIGHT,
        stream);
  }

  private void launch(KernelModule kernel, Normalization work, long source, long target) {
    ByteBuffer a = kernel.argument();
    a.putLong(0, source).putLong(Long.BYTES, target).putLong(COUNT, work.numbers());
    putInts(
        a,
        NORMALIZATION_NUMBERS,
        work.plane(),
        work.channels(),
        work.mean().size(),
        work.scale().size(),
        work.type() == DataType.FP32 ? 1 : 0);
    putFloats(a, MEAN, work.mean());
    putFloats(a, SCALE, work.scale());
    int threads = BLOCK_WIDTH * BLOCK_HEIGHT;
    kernel.launch(Math.toIntExact((work.numbers() + threads - 1) / threads), 1, threads, 1, stream);
  }

  private static void putFloats(ByteBuffer to, int at, List<Float> numbers) {
    for (int i = 0; i < numbers.size(); i++) {
      to.putFloat(at + Float.BYTES * i, numbers.get(i));
    }
  }

  private static void putInts(ByteBuffer to, int at, int... numbers) {
    for (int i = 0; i < numbers.length; i++) {
      to.putInt(at + Integer.BYTES * i, numbers[i]);
    }
  }

  /** Waits for everything so far. */
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
    long used = stream;
    stream = 0;
    crop.close();
    normalize.close();
    if (used != 0) {
      cuda.destroyStream(used);
    }
  }
}
