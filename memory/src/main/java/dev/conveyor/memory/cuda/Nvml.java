package dev.conveyor.memory.cuda;

import com.sun.jna.Native;
import com.sun.jna.Pointer;
import com.sun.jna.ptr.IntByReference;
import com.sun.jna.ptr.LongByReference;
import com.sun.jna.ptr.PointerByReference;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.BiFunction;
import org.jspecify.annotations.Nullable;

/**
 * NVIDIA's management library: every GPU of the machine, whatever this process may use, and how
 * each is. Thread-safe.
 *
 * <p>Comes with the driver and is loaded when it is asked for, through JNA, because the CUDA
 * binding cannot be loaded on a machine without the CUDA runtime. A call takes up to tens of
 * milliseconds.
 */
public final class Nvml implements AutoCloseable {

  private static final String LIBRARY = "libnvidia-ml.so.1";
  private static final int TEXT_BYTES = 96;
  private static final int TEMPERATURE_GPU = 0;
  private static final String MIG = "MIG-";

  private final NvmlLibrary library;
  private final Map<String, Optional<SmCounters>> counters = new ConcurrentHashMap<>();

  private Nvml(NvmlLibrary library) {
    this.library = library;
  }

  /**
   * What was found.
   *
   * @param nvml null if it cannot be used
   * @param reason why not, in one line
   */
  public record Opened(@Nullable Nvml nvml, String reason) {}

  /**
   * One that the driver shows.
   *
   * @param index of the physical GPU
   * @param slice index of the MIG slice; -1 for the whole GPU
   */
  public record Unit(int index, int slice, String uuid, String name) {}

  /** Opens the library. Never fails. */
  public static Opened open() {
    try {
      NvmlLibrary library = Native.load(LIBRARY, NvmlLibrary.class);
      int status = library.nvmlInit_v2();
      return status == 0
          ? new Opened(new Nvml(library), "")
          : new Opened(null, "NVML: " + library.nvmlErrorString(status));
    } catch (LinkageError e) {
      return new Opened(null, "no NVML (" + LIBRARY + " was not found)");
    }
  }

  /** Returns the driver's version, such as {@code 580.65.06}; empty if it is not told. */
  public String driverVersion() {
    byte[] text = new byte[TEXT_BYTES];
    return library.nvmlSystemGetDriverVersion(text, text.length) == 0 ? string(text) : "";
  }

  /** Returns every GPU, and behind each its MIG slices. */
  public List<Unit> units() {
    List<Unit> units = new ArrayList<>();
    IntByReference count = new IntByReference();
    if (library.nvmlDeviceGetCount_v2(count) != 0) {
      return units;
    }
    for (int i = 0; i < count.getValue(); i++) {
      PointerByReference device = new PointerByReference();
      if (library.nvmlDeviceGetHandleByIndex_v2(i, device) == 0) {
        units.add(unit(i, -1, device.getValue()));
        addSlices(i, device.getValue(), units);
      }
    }
    return units;
  }

  private void addSlices(int index, Pointer device, List<Unit> units) {
    IntByReference current = new IntByReference();
    IntByReference max = new IntByReference();
    if (library.nvmlDeviceGetMigMode(device, current, new IntByReference()) != 0
        || current.getValue() == 0
        || library.nvmlDeviceGetMaxMigDeviceCount(device, max) != 0) {
      return;
    }
    for (int s = 0; s < max.getValue(); s++) {
      PointerByReference slice = new PointerByReference();
      if (library.nvmlDeviceGetMigDeviceHandleByIndex(device, s, slice) == 0) {
        units.add(unit(index, s, slice.getValue()));
      }
    }
  }

  private Unit unit(int index, int slice, Pointer device) {
    return new Unit(
        index,
        slice,
        text(device, (d, bytes) -> library.nvmlDeviceGetUUID(d, bytes, bytes.length)),
        text(device, (d, bytes) -> library.nvmlDeviceGetName(d, bytes, bytes.length)));
  }

  /** Returns the product's name; empty if NVML does not know the device. */
  public Optional<String> nameOf(String uuid) {
    return handle(uuid)
        .map(device -> text(device, (d, to) -> library.nvmlDeviceGetName(d, to, to.length)))
        .filter(name -> !name.isEmpty());
  }

  /**
   * Returns how a device is; empty if NVML does not know it, or not any more. The activity of its
   * multiprocessors is that since the last call for the device, and so empty the first time.
   */
  public Optional<GpuFigures> figures(String uuid) {
    return handle(uuid).map(device -> figures(uuid, device));
  }

  private SmCounters.Activity activity(String uuid, Pointer device) {
    return counters
        .computeIfAbsent(uuid, id -> SmCounters.open(library, device, System::nanoTime))
        .map(SmCounters::look)
        .orElse(SmCounters.Activity.UNKNOWN);
  }

  private Optional<Pointer> handle(String uuid) {
    PointerByReference device = new PointerByReference();
    return library.nvmlDeviceGetHandleByUUID(uuid, device) == 0
        ? Optional.of(device.getValue())
        : Optional.empty();
  }

  private GpuFigures figures(String uuid, Pointer device) {
    boolean isSlice = uuid.startsWith(MIG);
    Pointer board = isSlice ? boardOf(device) : device;
    SmCounters.Activity activity = isSlice ? SmCounters.Activity.UNKNOWN : activity(uuid, device);
    long[] memory = new long[3];
    boolean hasMemory = library.nvmlDeviceGetMemoryInfo(device, memory) == 0;
    int[] rates = new int[2];
    boolean hasRates = library.nvmlDeviceGetUtilizationRates(device, rates) == 0;
    LongByReference millijoules = new LongByReference();
    boolean hasEnergy = library.nvmlDeviceGetTotalEnergyConsumption(board, millijoules) == 0;
    IntByReference celsius = new IntByReference();
    boolean hasHeat = library.nvmlDeviceGetTemperature(board, TEMPERATURE_GPU, celsius) == 0;
    return new GpuFigures(
        hasRates ? OptionalDouble.of(rates[0] / 100.0) : OptionalDouble.empty(),
        activity.active(),
        activity.occupied(),
        hasMemory ? OptionalLong.of(memory[0]) : OptionalLong.empty(),
        hasMemory ? OptionalLong.of(memory[2]) : OptionalLong.empty(),
        thousandths(to -> library.nvmlDeviceGetPowerUsage(board, to)),
        thousandths(to -> library.nvmlDeviceGetEnforcedPowerLimit(board, to)),
        hasEnergy ? OptionalDouble.of(millijoules.getValue() / 1e3) : OptionalDouble.empty(),
        hasHeat ? OptionalLong.of(celsius.getValue()) : OptionalLong.empty());
  }

  private interface Call {
    int into(IntByReference value);
  }

  private static OptionalDouble thousandths(Call call) {
    IntByReference value = new IntByReference();
    return call.into(value) == 0
        ? OptionalDouble.of(value.getValue() / 1e3)
        : OptionalDouble.empty();
  }

  private Pointer boardOf(Pointer slice) {
    PointerByReference board = new PointerByReference();
    return library.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(slice, board) == 0
        ? board.getValue()
        : slice;
  }

  private static String text(Pointer device, BiFunction<Pointer, byte[], Integer> call) {
    byte[] bytes = new byte[TEXT_BYTES];
    return call.apply(device, bytes) == 0 ? string(bytes) : "";
  }

  private static String string(byte[] text) {
    return Native.toString(text, StandardCharsets.UTF_8.name());
  }

  @Override
  public void close() {
    counters.values().forEach(open -> open.ifPresent(SmCounters::close));
    int unused = library.nvmlShutdown();
  }
}
