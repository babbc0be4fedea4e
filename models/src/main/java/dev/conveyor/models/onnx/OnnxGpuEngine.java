package dev.conveyor.models.onnx;

import dev.conveyor.memory.cuda.CudaException;
import dev.conveyor.models.Shape;
import dev.conveyor.models.backend.ExecutionException;
import dev.conveyor.models.device.DeviceBatch;
import dev.conveyor.models.device.DeviceEngine;
import dev.conveyor.models.device.DeviceOutputs;
import dev.conveyor.models.device.EngineSite;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.onnxruntime.RunOptions;

/**
 * Enqueues runs of a shared session for one instance. Thread-confined, but for {@link #cancel}.
 *
 * <p>The session enqueues on a stream of its own, and nobody waits for it but the device; see
 * {@link SessionTurn}.
 */
final class OnnxGpuEngine implements DeviceEngine {

  private final EngineSite site;
  private final SessionTurn turn;
  private final Binder binder;
  private final EnqueuedRuns runs = new EnqueuedRuns();
  private final Workspace workspace;
  private long largestRun;
  private boolean shrinks;

  /**
   * Of runs that were enqueued in part: closed when the next one comes, since they are over then.
   */
  private final List<BoundRun> failed = new ArrayList<>();

  /** By batch size and address of the first input, which tells the slots apart. */
  private final Map<Long, Map<Integer, BoundRun>> bindings = new HashMap<>();

  /**
   * Creates it.
   *
   * @param session that is locked while an instance enqueues
   * @param binder binds to that session; closed with this
   */
  OnnxGpuEngine(
      Object session, Binder binder, long sessionStream, EngineSite site, Workspace workspace) {
    this.binder = binder;
    this.workspace = workspace;
    this.site = site;
    this.turn = new SessionTurn(site.cuda(), session, sessionStream);
  }

  @Override
  public void enqueue(int items, DeviceBatch batch, long stream) {
    try {
      run(
          bindings
              .computeIfAbsent(batch.input(0), address -> new HashMap<>())
              .computeIfAbsent(items, n -> binder.fixed(n, batch)),
          items,
          stream);
    } catch (RuntimeException e) {
      throw failure(e);
    }
  }

  @Override
  public DeviceOutputs enqueue(List<Shape> inputs, DeviceBatch batch, long stream) {
    try {
      Binder.VaryingBoundRun bound = binder.varying(inputs, batch);
      try {
        run(bound, inputs.stream().mapToLong(Shape::elements).sum(), stream);
      } catch (RuntimeException | Error e) {
        failed.add(bound);
        throw e;
      }
      return bound;
    } catch (RuntimeException e) {
      throw failure(e);
    }
  }

  private void run(BoundRun bound, long size, long stream) {
    failed.forEach(BoundRun::close);
    failed.clear();
    RunOptions options = runs.next();
    turn.take(stream, () -> bound.run(options));
    account(size);
  }

  private static RuntimeException failure(RuntimeException e) {
    return e instanceof CudaException || e instanceof ExecutionException ? e : OnnxFailures.of(e);
  }

  /** What a run needs is taken as it is enqueued; only the largest so far can have taken more. */
  private void account(long size) {
    if (size > largestRun) {
      largestRun = size;
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
    bindings.values().forEach(bySize -> bySize.values().forEach(BoundRun::close));
    failed.forEach(BoundRun::close);
    runs.close();
    binder.close();
    turn.close();
  }
}
