package dev.conveyor.models.device;

import dev.conveyor.memory.BudgetExceededException;
import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.CudaException;
import dev.conveyor.memory.cuda.DevicePool;
import dev.conveyor.memory.cuda.JpegDecoder;
import dev.conveyor.memory.cuda.KernelCompiler;
import dev.conveyor.memory.cuda.KernelModule;
import dev.conveyor.models.DataType;
import dev.conveyor.models.config.Preprocessing;
import dev.conveyor.models.config.Preprocessing.Color;
import dev.conveyor.models.config.Preprocessing.Layout;
import dev.conveyor.models.image.DeviceJpeg;
import dev.conveyor.models.image.Letterbox;
import dev.conveyor.models.image.Placement;
import java.nio.ByteBuffer;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Decodes images on a device and brings them to their places in a batch there: nvJPEG, and one
 * kernel for size, padding, channels and numbers. The pixels never leave the device.
 *
 * <p>Not thread-safe: owned by the submitting thread. Everything is enqueued on one stream, and so
 * is the memory of each image, which is the next one's when the stream is past it.
 */
public final class DeviceImages implements AutoCloseable {

  /** Room in an instance's pool for images and what decodes them: a limit, and not taken. */
  static final long ALLOWANCE_BYTES = 512L << 20;

  private static final Logger LOG = LoggerFactory.getLogger(DeviceImages.class);
  private static final String SOURCE = "fit.cu";
  private static final String KERNEL = "fit";
  private static final int BLOCK_WIDTH = 32;
  private static final int BLOCK_HEIGHT = 8;

  /** Of {@code struct placement}. */
  private static final int ARGUMENT_BYTES = 128;

  private static final int FACTORS = 16;
  private static final int SHIFTS = 40;
  private static final int PITCH = 64;
  private static final int NUMBERS = 72;

  private final DevicePool pool;
  private final long stream;
  private final JpegDecoder decoder;
  private final KernelModule kernel;

  /** Each is told once. */
  private final Set<String> refusals = new HashSet<>();

  /**
   * Creates it on a thread that has set the device.
   *
   * @param pool the instance's device memory
   * @param stream everything is enqueued on
   * @throws CudaException if the device or a library refuses; nothing stays allocated
   */
  public DeviceImages(Cuda cuda, int device, DevicePool pool, long stream) {
    this.pool = pool;
    this.stream = stream;
    this.kernel = new KernelModule(Kernels.code(SOURCE, cuda, device), KERNEL, ARGUMENT_BYTES);
    try {
      this.decoder = new JpegDecoder(cuda, pool, stream);
    } catch (RuntimeException | Error e) {
      kernel.close();
      throw e;
    }
  }

  /**
   * Returns why images cannot be decoded on a GPU, in one line; empty if they can be. Loads the
   * libraries, and compiles the kernel for the first GPU of its kind, which takes a second.
   */
  public static String unavailable(Cuda cuda, int device) {
    String compiler = KernelCompiler.unavailable();
    String missing = compiler.isEmpty() ? JpegDecoder.unavailable() : compiler;
    if (!missing.isEmpty()) {
      return missing;
    }
    try {
      byte[] unused = Kernels.code(SOURCE, cuda, device);
      return "";
    } catch (CudaException e) {
      return "the kernel for images cannot be compiled: " + e.getMessage();
    }
  }

  /**
   * Enqueues an image, which stays in native memory until the stream is past it.
   *
   * @param target address of its place in the batch
   * @return false if it is for the host; nothing at {@code target} is changed then
   * @throws CudaException if something went wrong on the device
   */
  public boolean enqueue(DeviceJpeg jpeg, long target) {
    Preprocessing.Size source = jpeg.placement().source();
    int channels = jpeg.config().color().channels();
    long pitch = (long) source.width() * channels;
    long pixels = allocate(pitch * source.height());
    if (pixels == 0) {
      return refused("no memory");
    }
    String refusal;
    try {
      refusal =
          decoder.decode(jpeg.bytes(), source.width(), source.height(), channels, pixels, pitch);
      if (refusal == null) {
        launch(jpeg, pixels, pitch, target);
      }
    } catch (RuntimeException | Error e) {
      freeAfter(e, pixels);
      throw e;
    }
    pool.free(pixels, stream);
    return refusal == null || refused(refusal);
  }

  private boolean refused(String reason) {
    if (refusals.add(reason)) {
      LOG.info("an image is decoded on the CPU, as others like it will be: {}", reason);
    }
    return false;
  }

  /** Returns 0 if there is no room. */
  private long allocate(long bytes) {
    try {
      return pool.allocate(bytes, stream);
    } catch (CudaException e) {
      if (e.isOutOfMemory()) {
        return 0;
      }
      throw e;
    } catch (BudgetExceededException e) {
      return 0;
    }
  }

  private void freeAfter(Throwable failure, long address) {
    try {
      pool.free(address, stream);
    } catch (CudaException e) {
      failure.addSuppressed(e);
    }
  }

  private void launch(DeviceJpeg jpeg, long pixels, long pitch, long target) {
    Preprocessing config = jpeg.config();
    Preprocessing.Size size = jpeg.size();
    Placement placement = jpeg.placement();
    ByteBuffer a = kernel.argument();
    a.putLong(0, pixels).putLong(Long.BYTES, target);
    boolean normalised = false;
    for (int c = 0; c < config.color().channels(); c++) {
      double factor = valueOr(config.scale(), c, 1);
      double shift = -valueOr(config.mean(), c, 0) * factor;
      a.putDouble(FACTORS + Double.BYTES * c, factor).putDouble(SHIFTS + Double.BYTES * c, shift);
      normalised |= factor != 1 || shift != 0;
    }
    Letterbox frame = placement.frame();
    a.putLong(PITCH, pitch);
    int[] numbers = {
      placement.source().width(),
      placement.source().height(),
      size.width(),
      size.height(),
      frame.x(),
      frame.y(),
      frame.width(),
      frame.height(),
      config.color().channels(),
      config.padValue(),
      config.color() == Color.RGB ? 1 : 0,
      config.layout() == Layout.NCHW ? 1 : 0,
      config.dataType() == DataType.FP32 ? 1 : 0,
      normalised ? 1 : 0
    };
    for (int i = 0; i < numbers.length; i++) {
      a.putInt(NUMBERS + Integer.BYTES * i, numbers[i]);
    }
    kernel.launch(
        blocks(size.width(), BLOCK_WIDTH),
        blocks(size.height(), BLOCK_HEIGHT),
        BLOCK_WIDTH,
        BLOCK_HEIGHT,
        stream);
  }

  private static int blocks(int pixels, int each) {
    return (pixels + each - 1) / each;
  }

  private static double valueOr(List<Double> values, int index, double otherwise) {
    return values.isEmpty() ? otherwise : values.get(index);
  }

  /** Gives everything back; nothing of it runs any more. */
  @Override
  public void close() {
    try {
      decoder.close();
    } finally {
      kernel.close();
    }
  }
}
