package dev.conveyor.models.onnx;

import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import java.util.List;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.onnxruntime.IoBinding;
import org.bytedeco.onnxruntime.MemoryInfo;
import org.bytedeco.onnxruntime.RunOptions;
import org.bytedeco.onnxruntime.Session;
import org.bytedeco.onnxruntime.Value;
import org.jspecify.annotations.Nullable;

/**
 * Slabs bound to a session for one batch size, made once and run many times: a run is then a single
 * native call. Thread-confined: it belongs to one executor.
 *
 * <p>An input may point at a request's own memory for one run instead, which saves the copy.
 */
final class FixedBinding implements AutoCloseable {

  private final Session session;
  private final MemoryInfo memory;
  private final List<TensorSpec> inputs;
  private final long[][] inputShapes;
  private final Value[] slabValues;
  private final Value[] outputValues;
  private final @Nullable Value[] borrowed;
  private final IoBinding binding;

  /**
   * Binds the slabs.
   *
   * @param first the first dimension, or -1 to take the shapes as they are
   */
  FixedBinding(
      Session session,
      MemoryInfo memory,
      List<TensorSpec> inputs,
      List<TensorSpec> outputs,
      int first,
      Slab[] inputSlabs,
      Slab[] outputSlabs) {
    this.session = session;
    this.memory = memory;
    this.inputs = inputs;
    this.inputShapes = new long[inputs.size()][];
    this.slabValues = new Value[inputs.size()];
    this.outputValues = new Value[outputs.size()];
    this.borrowed = new Value[inputs.size()];
    this.binding = new IoBinding(session);
    for (int i = 0; i < inputs.size(); i++) {
      TensorSpec spec = inputs.get(i);
      inputShapes[i] = shape(spec, first).toArray();
      slabValues[i] = value(spec, inputShapes[i], inputSlabs[i].pointer());
      binding.BindInput(spec.name(), slabValues[i]);
    }
    for (int i = 0; i < outputs.size(); i++) {
      TensorSpec spec = outputs.get(i);
      outputValues[i] = value(spec, shape(spec, first).toArray(), outputSlabs[i].pointer());
      binding.BindOutput(spec.name(), outputValues[i]);
    }
  }

  /** Makes the next run read input {@code index} from the tensor's own native memory. */
  void borrow(int index, Tensor tensor) {
    restore(index);
    TensorSpec spec = inputs.get(index);
    Value value = value(spec, inputShapes[index], new BytePointer(tensor.data()));
    borrowed[index] = value;
    binding.BindInput(spec.name(), value);
  }

  /** Makes every input read from its slab again. */
  void restoreAll() {
    for (int i = 0; i < borrowed.length; i++) {
      restore(i);
    }
  }

  void run(RunOptions options) {
    session.Run(options, binding);
  }

  @Override
  public void close() {
    restoreAll();
    binding.close();
    for (Value value : slabValues) {
      value.close();
    }
    for (Value value : outputValues) {
      value.close();
    }
  }

  private void restore(int index) {
    Value value = borrowed[index];
    if (value != null) {
      binding.BindInput(inputs.get(index).name(), slabValues[index]);
      value.close();
      borrowed[index] = null;
    }
  }

  private Value value(TensorSpec spec, long[] shape, Pointer data) {
    return OnnxValues.over(memory, spec.type(), shape, data);
  }

  private static Shape shape(TensorSpec spec, int first) {
    return first < 0 ? spec.shape() : spec.shape().withFirst(first);
  }
}
