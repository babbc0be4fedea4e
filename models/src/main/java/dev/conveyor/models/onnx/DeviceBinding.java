package dev.conveyor.models.onnx;

import static org.bytedeco.onnxruntime.global.onnxruntime.OrtDeviceAllocator;
import static org.bytedeco.onnxruntime.global.onnxruntime.OrtMemTypeDefault;

import dev.conveyor.models.Shape;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.device.DeviceBatch;
import dev.conveyor.models.device.DeviceLayout;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.onnxruntime.IoBinding;
import org.bytedeco.onnxruntime.MemoryInfo;
import org.bytedeco.onnxruntime.RunOptions;
import org.bytedeco.onnxruntime.Session;
import org.bytedeco.onnxruntime.Value;

/**
 * The slab of one slot bound to a session for one batch size. Thread-confined: it belongs to one
 * engine.
 */
final class DeviceBinding implements BoundRun {

  private final Session session;
  private final IoBinding binding;
  private final List<Value> values = new ArrayList<>();

  DeviceBinding(
      Session session, MemoryInfo memory, DeviceLayout layout, int items, DeviceBatch batch) {
    this.session = session;
    this.binding = new IoBinding(session);
    for (int i = 0; i < layout.inputs().size(); i++) {
      TensorSpec spec = layout.inputs().get(i);
      Value value = value(memory, spec, items, batch.input(i));
      binding.BindInput(spec.name(), value);
    }
    for (int o = 0; o < layout.outputs().size(); o++) {
      TensorSpec spec = layout.outputs().get(o);
      Value value = value(memory, spec, items, batch.output(o));
      binding.BindOutput(spec.name(), value);
    }
  }

  /** Returns memory of a GPU, as ONNX Runtime names it. */
  static MemoryInfo gpuMemory(int device) {
    return new MemoryInfo("Cuda", OrtDeviceAllocator, device, OrtMemTypeDefault);
  }

  private Value value(MemoryInfo memory, TensorSpec spec, int items, long address) {
    Value value = over(memory, spec, items, address);
    values.add(value);
    return value;
  }

  /** Returns a value at an address of the device; the dimensions besides the batch are fixed. */
  static Value over(MemoryInfo memory, TensorSpec spec, int items, long address) {
    Shape shape = spec.shape();
    boolean batches = shape.rank() > 0 && !shape.isStatic();
    long[] dims = batches ? shape.withFirst(items).toArray() : shape.toArray();
    return OnnxValues.over(memory, spec.type(), dims, new CudaProvider.At(address));
  }

  @Override
  public void run(RunOptions options) {
    session.Run(options, binding);
  }

  @Override
  public void close() {
    binding.close();
    values.forEach(Value::close);
  }
}
