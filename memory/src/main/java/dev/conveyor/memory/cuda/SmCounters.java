package dev.conveyor.memory.cuda;

import com.sun.jna.Memory;
import com.sun.jna.Pointer;
import com.sun.jna.ptr.PointerByReference;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * The counters of one GPU's multiprocessors, by NVML's GPM: how busy they were between one look and
 * the next. GPUs have them since Hopper (compute capability 9.0).
 *
 * <p>Thread-safe. Holds two samples, of which one is always that of the last look.
 */
final class SmCounters implements AutoCloseable {

  /** What two looks tell; empty where the driver does not. Shares, 0 to 1. */
  record Activity(OptionalDouble active, OptionalDouble occupied) {

    static final Activity UNKNOWN = new Activity(OptionalDouble.empty(), OptionalDouble.empty());
  }

  /** NVIDIA asks for so much between two samples. */
  static final long LEAST_NS = 100_000_000;

  private static final int VERSION = 1;
  private static final int SM_UTIL = 2;
  private static final int SM_OCCUPANCY = 3;

  // nvmlGpmMetricsGet_t: version, number of metrics, two samples; then the metrics, each with its
  // number, a status, a value, and three texts. The library may know of more than these.
  private static final int METRICS_AT = 24;
  private static final int METRIC_BYTES = 40;
  private static final int STATUS_AT = 4;
  private static final int VALUE_AT = 8;
  private static final int METRICS = 512;

  private final NvmlLibrary library;
  private final Pointer device;
  private final LongSupplier clock;
  private final Pointer[] samples;
  private Activity latest = Activity.UNKNOWN;
  private long lookedNs;
  private boolean looked;
  private boolean closed;

  private SmCounters(
      NvmlLibrary library, Pointer device, LongSupplier clock, Pointer first, Pointer second) {
    this.library = library;
    this.device = device;
    this.clock = clock;
    this.samples = new Pointer[] {first, second};
  }

  /**
   * Opens the counters; empty if the driver or the device has none.
   *
   * @param clock nanoseconds
   */
  static Optional<SmCounters> open(NvmlLibrary library, Pointer device, LongSupplier clock) {
    try {
      int[] support = {VERSION, 0};
      if (library.nvmlGpmQueryDeviceSupport(device, support) != 0 || support[1] == 0) {
        return Optional.empty();
      }
      Pointer first = sample(library);
      Pointer second = sample(library);
      return first == null || second == null
          ? Optional.empty()
          : Optional.of(new SmCounters(library, device, clock, first, second));
    } catch (LinkageError e) {
      return Optional.empty(); // The driver is older than the function.
    }
  }

  private static @Nullable Pointer sample(NvmlLibrary library) {
    PointerByReference sample = new PointerByReference();
    return library.nvmlGpmSampleAlloc(sample) == 0 ? sample.getValue() : null;
  }

  /** Returns the activity since the last look; a look that comes too soon gets its answer again. */
  synchronized Activity look() {
    long now = clock.getAsLong();
    if (closed || (looked && now - lookedNs < LEAST_NS)) {
      return latest;
    }
    if (library.nvmlGpmSampleGet(device, samples[1]) != 0) {
      looked = false;
      latest = Activity.UNKNOWN;
      return latest;
    }
    latest = looked ? between() : Activity.UNKNOWN;
    Pointer older = samples[0];
    samples[0] = samples[1];
    samples[1] = older;
    looked = true;
    lookedNs = now;
    return latest;
  }

  private Activity between() {
    try (Memory request = new Memory(METRICS_AT + (long) METRICS * METRIC_BYTES)) {
      request.clear();
      request.setInt(0, VERSION);
      request.setInt(4, 2);
      request.setPointer(8, samples[0]);
      request.setPointer(16, samples[1]);
      request.setInt(METRICS_AT, SM_UTIL);
      request.setInt(METRICS_AT + METRIC_BYTES, SM_OCCUPANCY);
      return library.nvmlGpmMetricsGet(request) == 0
          ? new Activity(share(request, 0), share(request, 1))
          : Activity.UNKNOWN;
    }
  }

  private static OptionalDouble share(Pointer request, int index) {
    long at = METRICS_AT + (long) index * METRIC_BYTES;
    double percent = request.getDouble(at + VALUE_AT);
    return request.getInt(at + STATUS_AT) == 0 && Double.isFinite(percent)
        ? OptionalDouble.of(percent / 100)
        : OptionalDouble.empty();
  }

  /** Gives the samples back. Closing twice is harmless. */
  @Override
  public synchronized void close() {
    if (!closed) {
      closed = true;
      latest = Activity.UNKNOWN;
      for (Pointer sample : samples) {
        int unused = library.nvmlGpmSampleFree(sample);
      }
    }
  }
}
