package dev.conveyor.models.onnx;

import dev.conveyor.models.Shape;
import dev.conveyor.models.device.DeviceBatch;
import dev.conveyor.models.device.DeviceLayout;
import java.util.List;
import org.bytedeco.onnxruntime.MemoryInfo;
import org.bytedeco.onnxruntime.Session;

/** Binds to an ONNX Runtime session. Thread-confined: it belongs to one engine. */
final class SessionBinder implements Binder {

  private final Session session;
  private final MemoryInfo memory;
  private final DeviceLayout layout;

  /**
   * Creates it.
   *
   * @param memory that addresses are in, and outputs are to be in; closed with this
   * @param layout of the largest batch
   */
  SessionBinder(Session session, MemoryInfo memory, DeviceLayout layout) {
    this.session = session;
    this.memory = memory;
    this.layout = layout;
  }

  @Override
  public BoundRun fixed(int items, DeviceBatch batch) {
    return new DeviceBinding(session, memory, layout, items, batch);
  }

  @Override
  public VaryingBoundRun varying(List<Shape> inputs, DeviceBatch batch) {
    return new VaryingBinding(session, memory, layout, inputs, batch);
  }

  @Override
  public void close() {
    memory.close();
  }
}
