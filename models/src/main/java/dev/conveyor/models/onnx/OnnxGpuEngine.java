package dev.conveyor.models.onnx;

import dev.conveyor.memory.cuda.CudaException;
import dev.conveyor.models.backend.ExecutionException;
import dev.conveyor.models.device.DeviceBatch;
import dev.conveyor.models.device.DeviceEngine;
import dev.conveyor.models.device.EngineSite;
import java.util.HashMap;
import java.util.Map;
import org.bytedeco.onnxruntime.MemoryInfo;
import org.bytedeco.onnxruntime.RunOptions;
import org.bytedeco.onnxruntime.Session;

/**
 * Enqueues runs of a shared session for one instance. Thread-confined, but for {@link #cancel}.
 *
 * <p>The session enqueues on a stream of its own, and nobody waits for it but the device; see
 * {@link SessionTurn}.
 */
final class OnnxGpuEngine implements DeviceEngine {

  private final Session session;
  private final EngineSite site;
  private final SessionTurn turn;
  private final MemoryInfo memory;
  private final EnqueuedRuns runs = new EnqueuedRuns();
  private final Workspace workspace;
  private int largestRun;
  private boolean shrinks;

  /** By batch size and address of the first input, which tells the slots apart. */
  private final Map<Long, Map<Integer, DeviceBinding>> bindings = new HashMap<>();

  OnnxGpuEngine(Session session, long sessionStream, EngineSite site, Workspace workspace) {
    this.session = session;
    this.workspace = workspace;
    this.site = site;
    this.memory = DeviceBinding.gpuMemory(site.device());
    this.turn = new SessionTurn(site.cuda(), session, sessionStream);
  }

  @Override
  public void enqueue(int items, DeviceBatch batch, long stream) {
    try {
      DeviceBinding binding =
          bindings
              .computeIfAbsent(batch.input(0), address -> new HashMap<>())
              .computeIfAbsent(
                  items, n -> new DeviceBinding(session, memory, site.layout(), n, batch));
      RunOptions options = runs.next();
      turn.take(stream, () -> binding.run(options));
      account(items);
    } catch (CudaException | ExecutionException e) {
      throw e;
    } catch (RuntimeException e) {
      throw OnnxFailures.of(e);
    }
  }

  /** What a run needs is taken as it is enqueued; only the largest so far can have taken more. */
  private void account(int items) {
    if (items > largestRun) {
      largestRun = items;
      workspace.measure();
    }
    if (workspace.shrinks() && !shrinks) {
      shrinks = true;
      runs.shrinkArena(site.device());
    }
  }

  @Override
  public void cancel() {
    runs.cancel();
  }

  @Override
  public void close() {
    bindings.values().forEach(bySize -> bySize.values().forEach(DeviceBinding::close));
    runs.close();
    memory.close();
    turn.close();
  }
}
