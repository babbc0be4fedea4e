package dev.conveyor.memory.cuda;

import static org.bytedeco.cuda.global.nvjpeg.*;

import dev.conveyor.memory.BudgetExceededException;
import java.nio.ByteBuffer;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import org.bytedeco.cuda.cudart.CUstream_st;
import org.bytedeco.cuda.nvjpeg.nvjpegDevAllocatorV2_t;
import org.bytedeco.cuda.nvjpeg.nvjpegHandle;
import org.bytedeco.cuda.nvjpeg.nvjpegImage_t;
import org.bytedeco.cuda.nvjpeg.nvjpegJpegState;
import org.bytedeco.cuda.nvjpeg.tDevFreeV2;
import org.bytedeco.cuda.nvjpeg.tDevMallocV2;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;
import org.jspecify.annotations.Nullable;

/**
 * Decodes JPEGs on one device with nvJPEG, which belongs to a CUDA toolkit and not to the build.
 *
 * <p>Not thread-safe: owned by the thread that enqueues, which has set the device, and used with
 * one stream: the library's scratch memory is used again in the order of that stream. It takes that
 * memory from the pool it is given, so that the pool's ledger and cap hold for it too.
 */
public final class JpegDecoder implements AutoCloseable {

  private static final String LIBRARY = "libnvjpeg.so.13";

  /**
   * Native code knows a decoder by its number: functions of Java cannot be handed out by the dozen.
   */
  private static final Map<Long, JpegDecoder> BY_NUMBER = new ConcurrentHashMap<>();

  private static final AtomicLong NUMBERS = new AtomicLong();
  private static final int ALLOCATION_FAILED = 2; // cudaErrorMemoryAllocation

  private final Cuda cuda;
  private final DevicePool pool;
  private final long ownStream;
  private final long number = NUMBERS.incrementAndGet();
  private final nvjpegHandle library = new nvjpegHandle();
  private final nvjpegJpegState state = new nvjpegJpegState();
  private final nvjpegDevAllocatorV2_t allocator = new nvjpegDevAllocatorV2_t();
  private final nvjpegImage_t image = new nvjpegImage_t();
  private final IntPointer components = new IntPointer(1);
  private final IntPointer subsampling = new IntPointer(1);
  private final IntPointer widths = new IntPointer(NVJPEG_MAX_COMPONENT);
  private final IntPointer heights = new IntPointer(NVJPEG_MAX_COMPONENT);
  private final CudaArguments.StreamArgument stream = new CudaArguments.StreamArgument();
  private final Place place = new Place();
  private boolean open = true;

  /**
   * Creates a decoder on the thread's device.
   *
   * @param pool for scratch memory
   * @param stream everything is decoded on
   * @throws CudaException if the library refuses; nothing stays allocated
   */
  public JpegDecoder(Cuda cuda, DevicePool pool, long stream) {
    this.cuda = cuda;
    this.pool = pool;
    this.ownStream = stream;
    BY_NUMBER.put(number, this);
    allocator.dev_malloc(Callbacks.ALLOCATE).dev_free(Callbacks.FREE).dev_ctx(new Plain(number));
    int status =
        nvjpegCreateExV2(
            NVJPEG_BACKEND_DEFAULT,
            allocator,
            null,
            NVJPEG_FLAGS_UPSAMPLING_WITH_INTERPOLATION,
            library);
    if (status == NVJPEG_STATUS_SUCCESS) {
      status = nvjpegJpegStateCreate(library, state);
      if (status != NVJPEG_STATUS_SUCCESS) {
        int unused = nvjpegDestroy(library);
      }
    }
    if (status != NVJPEG_STATUS_SUCCESS) {
      forget();
      throw status == NVJPEG_STATUS_ALLOCATOR_FAILURE
          ? new CudaException("nvjpegCreateExV2", ALLOCATION_FAILED, name(status))
          : CudaException.ofLibrary("nvjpegCreateExV2", status, name(status));
    }
  }

  /** Returns why it cannot be used on this machine, in one line; empty if it can. Loads natives. */
  public static String unavailable() {
    String missing = CudaLibraries.loadTool(LIBRARY, "");
    if (!missing.isEmpty()) {
      return "no nvJPEG: " + missing;
    }
    try {
      String unused = Loader.load(org.bytedeco.cuda.global.nvjpeg.class);
      return "";
    } catch (LinkageError e) {
      return "nvJPEG cannot be used: " + e.getMessage();
    }
  }

  /**
   * Enqueues the decoding of an image; where the library decodes on the host first, that is done
   * when this returns.
   *
   * <p>Whoever sent the image has read its size too, in another way, and made room for that: so
   * what the library finds is compared before it writes.
   *
   * @param jpeg native memory, between position and limit; it stays until the stream has got here
   * @param width that there is room for
   * @param height likewise
   * @param channels 3 for blue, green and red, behind each other; 1 for luma
   * @param target address on the device, of rows of {@code pitchBytes}
   * @return why the library does not decode it, in a few words; null if it does. What {@code
   *     target} holds then is undefined
   */
  public @Nullable String decode(
      ByteBuffer jpeg, int width, int height, int channels, long target, long pitchBytes) {
    image.channel(0, place.at(target)).pitch(0, pitchBytes);
    try (BytePointer data = new BytePointer(jpeg.slice())) {
      int status =
          nvjpegGetImageInfo(
              library, data, jpeg.remaining(), components, subsampling, widths, heights);
      if (status != NVJPEG_STATUS_SUCCESS) {
        return name(status);
      }
      if (widths.get(0) != width || heights.get(0) != height) {
        return "another size than expected";
      }
      status =
          nvjpegDecode(
              library,
              state,
              data,
              jpeg.remaining(),
              channels == 1 ? NVJPEG_OUTPUT_Y : NVJPEG_OUTPUT_BGRI,
              image,
              stream.at(ownStream));
      return status == NVJPEG_STATUS_SUCCESS ? null : name(status);
    }
  }

  private static String name(int status) {
    if (status == NVJPEG_STATUS_BAD_JPEG) {
      return "bad JPEG";
    }
    if (status == NVJPEG_STATUS_JPEG_NOT_SUPPORTED) {
      return "not supported";
    }
    if (status == NVJPEG_STATUS_ALLOCATOR_FAILURE) {
      return "no memory";
    }
    return "nvJPEG's status " + status;
  }

  /** Gives everything back. The stream has got past everything that was enqueued. */
  @Override
  public void close() {
    if (open) {
      open = false;
      int unusedStatus = nvjpegJpegStateDestroy(state);
      int unused = nvjpegDestroy(library);
      forget();
    }
  }

  private void forget() {
    BY_NUMBER.remove(number);
    image.close();
    allocator.close();
    components.close();
    subsampling.close();
    widths.close();
    heights.close();
  }

  /** No exception may pass through native code. */
  private int allocate(PointerPointer<?> to, long bytes, @Nullable Pointer onStream) {
    try {
      long address = pool.allocate(bytes, ownStream);
      if (onStream == null || onStream.address() != ownStream) {
        cuda.awaitStream(ownStream); // The library may use it anywhere, at once.
      }
      to.put(0, new Plain(address));
      return 0;
    } catch (BudgetExceededException | CudaException | OutOfMemoryError e) {
      return ALLOCATION_FAILED;
    }
  }

  private int free(long address) {
    try {
      pool.free(address, ownStream);
      return 0;
    } catch (CudaException e) {
      return e.code();
    }
  }

  private static @Nullable JpegDecoder of(Pointer context) {
    return BY_NUMBER.get(context.address());
  }

  /** Made when natives are there. */
  private static final class Callbacks {
    static final Allocate ALLOCATE = new Allocate();
    static final Free FREE = new Free();

    private Callbacks() {}
  }

  /** Called by nvJPEG. */
  public static final class Allocate extends tDevMallocV2 {
    Allocate() {}

    @Override
    @SuppressWarnings("rawtypes") // As in the binding.
    public int call(Pointer context, PointerPointer to, long bytes, @Nullable CUstream_st stream) {
      JpegDecoder decoder = of(context);
      return decoder == null ? ALLOCATION_FAILED : decoder.allocate(to, bytes, stream);
    }
  }

  /** Called by nvJPEG. */
  public static final class Free extends tDevFreeV2 {
    Free() {}

    @Override
    public int call(Pointer context, Pointer address, long bytes, @Nullable CUstream_st unused) {
      JpegDecoder decoder = of(context);
      return decoder == null ? ALLOCATION_FAILED : decoder.free(address.address());
    }
  }

  /** A number where an address is expected. */
  private static final class Plain extends Pointer {
    Plain(long value) {
      address = value;
    }
  }

  private static final class Place extends BytePointer {
    Place() {
      super((Pointer) null);
    }

    Place at(long where) {
      address = where;
      return this;
    }
  }
}
