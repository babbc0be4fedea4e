package dev.conveyor.models.onnx;

import dev.conveyor.models.Shape;
import dev.conveyor.models.device.DeviceBatch;
import dev.conveyor.models.device.DeviceLayout;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.onnxruntime.IoBinding;
import org.bytedeco.onnxruntime.LongVector;
import org.bytedeco.onnxruntime.MemoryInfo;
import org.bytedeco.onnxruntime.RunOptions;
import org.bytedeco.onnxruntime.Session;
import org.bytedeco.onnxruntime.TensorTypeAndShapeInfo;
import org.bytedeco.onnxruntime.Value;
import org.bytedeco.onnxruntime.ValueVector;

/**
 * One batch of varying dimensions bound to a session. The session takes the memory of the outputs
 * from its arena as it enqueues their operators, so shapes and addresses are known when the run was
 * enqueued, whether it has begun or not. Thread-confined: it belongs to one engine.
 */
final class VaryingBinding implements Binder.VaryingBoundRun {

  private record Output(Shape shape, long address) {}

  private final Session session;
  private final IoBinding binding;
  private final List<Value> values = new ArrayList<>();
  private List<Output> outputs = List.of();

  VaryingBinding(
      Session session,
      MemoryInfo memory,
      DeviceLayout layout,
      List<Shape> inputs,
      DeviceBatch batch) {
    this.session = session;
    this.binding = new IoBinding(session);
    try {
      for (int i = 0; i < inputs.size(); i++) {
        Value value =
            OnnxValues.over(
                memory,
                layout.inputs().get(i).type(),
                inputs.get(i).toArray(),
                new CudaProvider.At(batch.input(i)));
        values.add(value);
        binding.BindInput(layout.inputs().get(i).name(), value);
      }
      layout
          .outputs()
          .forEach(output -> binding.BindOutput(output.name(), memory.asOrtMemoryInfo()));
    } catch (RuntimeException e) {
      close();
      throw e;
    }
  }

  @Override
  public void run(RunOptions options) {
    session.Run(options, binding);
    List<Output> found = new ArrayList<>();
    try (ValueVector made = binding.GetOutputValues()) {
      for (long o = 0; o < made.size(); o++) {
        found.add(output(made.get(o)));
      }
    }
    outputs = found;
  }

  private static Output output(Value value) {
    try (TensorTypeAndShapeInfo info = value.GetTensorTypeAndShapeInfo();
        LongVector dims = info.GetShape();
        Pointer data = value.GetTensorMutableRawData()) {
      return new Output(Shape.of(OnnxValues.dims(dims)), data == null ? 0 : data.address());
    }
  }

  @Override
  public Shape shape(int index) {
    return outputs.get(index).shape();
  }

  @Override
  public long address(int index) {
    return outputs.get(index).address();
  }

  @Override
  public void close() {
    binding.close();
    values.forEach(Value::close);
  }
}
