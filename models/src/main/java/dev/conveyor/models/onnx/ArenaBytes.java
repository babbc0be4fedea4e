package dev.conveyor.models.onnx;

import static org.bytedeco.onnxruntime.global.onnxruntime.OrtArenaAllocator;
import static org.bytedeco.onnxruntime.global.onnxruntime.OrtMemTypeDefault;

import org.bytedeco.onnxruntime.Allocator;
import org.bytedeco.onnxruntime.KeyValuePairs;
import org.bytedeco.onnxruntime.MemoryInfo;
import org.bytedeco.onnxruntime.Session;

/**
 * What a session's arena has taken from the system: weights that it keeps there, and the workspace
 * of its runs, which grows with the largest batch so far and stays. Thread-safe: no state.
 */
final class ArenaBytes {

  private static final String TOTAL = "TotalAllocated";

  private ArenaBytes() {}

  /** Returns the bytes of the session's arena now; 0 if it has none. Takes microseconds. */
  static long onHost(Session session) {
    try (MemoryInfo cpu = MemoryInfo.CreateCpu(OrtArenaAllocator, OrtMemTypeDefault)) {
      return of(session, cpu);
    }
  }

  /** As {@link #onHost}, for the session's arena on a GPU. */
  static long onDevice(Session session, int device) {
    try (MemoryInfo gpu = DeviceBinding.gpuMemory(device)) {
      return of(session, gpu);
    }
  }

  private static long of(Session session, MemoryInfo memory) {
    try (Allocator arena = new Allocator(session, memory.asOrtMemoryInfo());
        KeyValuePairs stats = arena.GetStats()) {
      String total = stats.GetValue(TOTAL);
      return total == null || total.isEmpty() ? 0 : Long.parseLong(total);
    } catch (RuntimeException e) {
      return 0; // an allocator without statistics
    }
  }
}
