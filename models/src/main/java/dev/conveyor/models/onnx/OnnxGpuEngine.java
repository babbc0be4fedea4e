package dev.conveyor.models.onnx;

import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.models.device.DeviceBatch;
import dev.conveyor.models.device.DeviceEngine;
import dev.conveyor.models.device.EngineSite;
import java.util.HashMap;
import java.util.Map;
import org.bytedeco.onnxruntime.MemoryInfo;
import org.bytedeco.onnxruntime.RunOptions;
import org.bytedeco.onnxruntime.Session;

/**
 * Enqueues runs of a shared session for one instance. Thread-confined.
 *
 * <p>The session enqueues on the stream that it was opened with, and nobody waits for it: events on
 * the device put the run between what the instance's own stream did before and does next. Instances
 * take turns at the session, for the time that it takes to enqueue.
 */
final class OnnxGpuEngine implements DeviceEngine {

  private final Session session;
  private final long sessionStream;
  private final EngineSite site;
  private final long before;
  private final long after;
  private final MemoryInfo memory;
  private final RunOptions runOptions = new RunOptions();

  /** By batch size and address of the first input, which tells the slots apart. */
  private final Map<Long, Map<Integer, DeviceBinding>> bindings = new HashMap<>();

  OnnxGpuEngine(Session session, long sessionStream, EngineSite site) {
    this.session = session;
    this.sessionStream = sessionStream;
    this.site = site;
    this.memory = DeviceBinding.gpuMemory(site.device());
    this.before = site.cuda().newEvent();
    this.after = site.cuda().newEvent();
    runOptions.AddConfigEntry("disable_synchronize_execution_providers", "1");
  }

  @Override
  public void enqueue(int items, DeviceBatch batch, long stream) {
    DeviceBinding binding =
        bindings
            .computeIfAbsent(batch.input(0), address -> new HashMap<>())
            .computeIfAbsent(
                items, n -> new DeviceBinding(session, memory, site.layout(), n, batch));
    Cuda cuda = site.cuda();
    synchronized (session) {
      cuda.record(before, stream);
      cuda.waitFor(before, sessionStream);
      binding.run(runOptions);
      cuda.record(after, sessionStream);
      cuda.waitFor(after, stream);
    }
  }

  @Override
  public void close() {
    bindings.values().forEach(bySize -> bySize.values().forEach(DeviceBinding::close));
    runOptions.close();
    memory.close();
    site.cuda().destroyEvent(before);
    site.cuda().destroyEvent(after);
  }
}
