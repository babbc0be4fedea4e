package dev.conveyor.models.onnx;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.backend.BatchRequest;
import dev.conveyor.models.backend.BatchResult;
import dev.conveyor.models.backend.Slices;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.onnxruntime.IoBinding;
import org.bytedeco.onnxruntime.MemoryInfo;
import org.bytedeco.onnxruntime.RunOptions;
import org.bytedeco.onnxruntime.Session;
import org.bytedeco.onnxruntime.Value;
import org.bytedeco.onnxruntime.ValueVector;

/**
 * Runs models whose shapes vary from request to request, or that take or give strings: values are
 * bound anew for every run, and ONNX Runtime allocates the outputs. Thread-confined: it belongs to
 * one executor, which owns the slabs.
 */
final class VaryingRun {

  private final Session session;
  private final MemoryInfo memory;
  private final List<TensorSpec> inputs;
  private final List<TensorSpec> outputs;
  private final boolean batches;
  private final Slab[] inputSlabs;

  VaryingRun(
      Session session,
      MemoryInfo memory,
      List<TensorSpec> inputs,
      List<TensorSpec> outputs,
      boolean batches,
      Slab[] inputSlabs) {
    this.session = session;
    this.memory = memory;
    this.inputs = inputs;
    this.outputs = outputs;
    this.batches = batches;
    this.inputSlabs = inputSlabs;
  }

  /** Runs one batch; the requests have equal shapes but for the first dimension. */
  BatchResult run(List<? extends BatchRequest> requests, RunOptions runOptions) {
    final long start = System.nanoTime();
    int items = Slices.items(requests);
    List<Value> values = new ArrayList<>();
    try (IoBinding binding = new IoBinding(session)) {
      for (int i = 0; i < inputs.size(); i++) {
        Value value = gather(requests, i, items);
        values.add(value);
        binding.BindInput(inputs.get(i).name(), value);
      }
      for (TensorSpec output : outputs) {
        binding.BindOutput(output.name(), memory.asOrtMemoryInfo());
      }
      final long gathered = System.nanoTime();
      session.Run(runOptions, binding);
      final long computed = System.nanoTime();
      List<List<Tensor>> answers = scatter(requests, items, binding);
      return new BatchResult(
          answers, gathered - start, computed - gathered, System.nanoTime() - computed);
    } finally {
      values.forEach(Value::close);
    }
  }

  private Value gather(List<? extends BatchRequest> requests, int index, int items) {
    Shape first = requests.get(0).inputs().get(index).shape();
    long[] shape = (batches ? first.withFirst(items) : first).toArray();
    DataType type = inputs.get(index).type();
    if (type == DataType.BYTES) {
      return OnnxValues.strings(requests, index, shape);
    }
    Slab slab = inputSlabs[index];
    slab.ensure(Slices.gatheredBytes(requests, index));
    Slices.gather(requests, index, slab.bytes());
    return OnnxValues.over(memory, type, shape, slab.pointer());
  }

  private List<List<Tensor>> scatter(
      List<? extends BatchRequest> requests, int items, IoBinding binding) {
    List<List<Tensor>> answers = new ArrayList<>(requests.size());
    for (int r = 0; r < requests.size(); r++) {
      answers.add(new ArrayList<>(outputs.size()));
    }
    try (ValueVector values = binding.GetOutputValues()) {
      for (int o = 0; o < outputs.size(); o++) {
        Tensor whole = OnnxValues.toTensor(outputs.get(o).name(), values.get(o));
        split(whole, requests, items, answers);
      }
    }
    return answers;
  }

  private void split(
      Tensor whole, List<? extends BatchRequest> requests, int items, List<List<Tensor>> answers) {
    if (!batches || requests.size() == 1) {
      answers.get(0).add(whole);
      return;
    }
    if (whole.shape().rank() == 0 || whole.shape().dim(0) != items) {
      throw new IllegalStateException(
          "output '%s' has shape %s for a batch of %d: its first dimension is not the batch"
              .formatted(whole.name(), whole.shape(), items));
    }
    ByteBuffer rest = whole.data().duplicate().order(ByteOrder.LITTLE_ENDIAN);
    for (int r = 0; r < requests.size(); r++) {
      int size = requests.get(r).batchSize();
      int bytes = sliceBytes(whole, rest, size, items);
      Shape shape = whole.shape().withFirst(size);
      answers.get(r).add(Tensor.of(whole.name(), whole.type(), shape, take(rest, bytes)));
    }
  }

  private static int sliceBytes(Tensor whole, ByteBuffer rest, int size, int items) {
    if (whole.type() != DataType.BYTES) {
      return whole.sizeBytes() / items * size;
    }
    long elements = whole.shape().elements() / items * size;
    int end = rest.position();
    for (long i = 0; i < elements; i++) {
      end += Integer.BYTES + rest.getInt(end);
    }
    return end - rest.position();
  }

  private static ByteBuffer take(ByteBuffer rest, int bytes) {
    ByteBuffer slice = rest.slice(rest.position(), bytes);
    rest.position(rest.position() + bytes);
    return slice;
  }
}
