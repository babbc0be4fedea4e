package dev.conveyor.memory.cuda;

import com.sun.jna.Library;
import com.sun.jna.Pointer;
import com.sun.jna.ptr.IntByReference;
import com.sun.jna.ptr.LongByReference;
import com.sun.jna.ptr.PointerByReference;

/** The functions of {@code libnvidia-ml.so.1} that are called. Public because JNA implements it. */
public interface NvmlLibrary extends Library {

  int nvmlInit_v2();

  int nvmlShutdown();

  String nvmlErrorString(int status);

  int nvmlSystemGetDriverVersion(byte[] version, int room);

  int nvmlDeviceGetCount_v2(IntByReference count);

  int nvmlDeviceGetHandleByIndex_v2(int index, PointerByReference device);

  int nvmlDeviceGetHandleByUUID(String uuid, PointerByReference device);

  int nvmlDeviceGetName(Pointer device, byte[] name, int room);

  int nvmlDeviceGetUUID(Pointer device, byte[] uuid, int room);

  int nvmlDeviceGetMigMode(Pointer device, IntByReference current, IntByReference pending);

  int nvmlDeviceGetMaxMigDeviceCount(Pointer device, IntByReference count);

  int nvmlDeviceGetMigDeviceHandleByIndex(Pointer device, int index, PointerByReference slice);

  int nvmlDeviceGetDeviceHandleFromMigDeviceHandle(Pointer slice, PointerByReference device);

  /** Total, free, used. */
  int nvmlDeviceGetMemoryInfo(Pointer device, long[] info);

  /** GPU, memory; percent. */
  int nvmlDeviceGetUtilizationRates(Pointer device, int[] rates);

  int nvmlDeviceGetPowerUsage(Pointer device, IntByReference milliwatts);

  int nvmlDeviceGetEnforcedPowerLimit(Pointer device, IntByReference milliwatts);

  int nvmlDeviceGetTotalEnergyConsumption(Pointer device, LongByReference millijoules);

  int nvmlDeviceGetTemperature(Pointer device, int sensor, IntByReference celsius);

  /** Version, whether it is supported. */
  int nvmlGpmQueryDeviceSupport(Pointer device, int[] support);

  int nvmlGpmSampleAlloc(PointerByReference sample);

  int nvmlGpmSampleFree(Pointer sample);

  int nvmlGpmSampleGet(Pointer device, Pointer sample);

  /** See {@link SmCounters} for what it points to. */
  int nvmlGpmMetricsGet(Pointer request);
}
