package dev.conveyor.models.onnx;

import static org.bytedeco.onnxruntime.global.onnxruntime.ONNX_TYPE_TENSOR;

import dev.conveyor.memory.BudgetExceededException;
import dev.conveyor.memory.MemoryBudget.Reservation;
import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.backend.LoadOptions;
import dev.conveyor.models.backend.LoadedModel;
import dev.conveyor.models.backend.ModelExecutor;
import dev.conveyor.models.backend.ModelLoadException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.onnxruntime.AllocatorWithDefaultOptions;
import org.bytedeco.onnxruntime.ConstTensorTypeAndShapeInfo;
import org.bytedeco.onnxruntime.LongVector;
import org.bytedeco.onnxruntime.Session;
import org.bytedeco.onnxruntime.StringVector;
import org.bytedeco.onnxruntime.TypeInfo;

/** One session: the weights on one device. Thread-safe; executors run it at the same time. */
final class OnnxModel implements LoadedModel {

  private final Path file;
  private final Session session;
  private final Reservation weights;
  private final LoadOptions options;
  private final Workspace workspace;
  private final List<TensorSpec> inputs;
  private final List<TensorSpec> outputs;
  private final AtomicBoolean open = new AtomicBoolean(true);

  OnnxModel(Path file, Session session, Reservation weights, LoadOptions options) {
    this.file = file;
    this.session = session;
    this.weights = weights;
    this.options = options;
    try {
      this.inputs = specs(file, session.GetInputNames(), session::GetInputTypeInfo);
      this.outputs = specs(file, session.GetOutputNames(), session::GetOutputTypeInfo);
    } catch (RuntimeException e) {
      session.close();
      throw e;
    }
    this.workspace =
        new Workspace(options.owner(), options.budget(), () -> ArenaBytes.onHost(session));
  }

  @Override
  public List<TensorSpec> inputs() {
    return inputs;
  }

  @Override
  public List<TensorSpec> outputs() {
    return outputs;
  }

  @Override
  public long reservedBytes() {
    return weights.bytes() + workspace.bytes();
  }

  @Override
  public ModelExecutor newExecutor(int maxBatchSize) {
    try {
      return new OnnxExecutor(session, inputs, outputs, maxBatchSize, options, workspace);
    } catch (BudgetExceededException
        | ArithmeticException
        | IllegalArgumentException
        | OutOfMemoryError e) {
      throw new ModelLoadException(
          "%s: no memory for inputs %s and outputs %s of batches of up to %d: %s"
              .formatted(file, inputs, outputs, Math.max(1, maxBatchSize), e.getMessage()),
          e);
    }
  }

  @Override
  public void close() {
    if (open.compareAndSet(true, false)) {
      workspace.close();
      session.close();
      weights.close();
    }
  }

  @FunctionalInterface
  interface TypeInfoOf {
    TypeInfo at(long index);
  }

  static List<TensorSpec> specs(Path file, StringVector names, TypeInfoOf typeInfoOf) {
    List<TensorSpec> specs = new ArrayList<>();
    try (names) {
      for (long i = 0; i < names.size(); i++) {
        try (BytePointer name = names.get(i);
            TypeInfo info = typeInfoOf.at(i)) {
          specs.add(spec(file, name.getString(), info));
        }
      }
    }
    return List.copyOf(specs);
  }

  private static TensorSpec spec(Path file, String name, TypeInfo info) {
    if (info.GetONNXType() != ONNX_TYPE_TENSOR) {
      throw new ModelLoadException(
          file + ": '" + name + "' is not a tensor; sequences and maps cannot be served");
    }
    ConstTensorTypeAndShapeInfo tensor = info.GetTensorTypeAndShapeInfo();
    long[] dims;
    try (LongVector shape = tensor.GetShape()) {
      dims = OnnxValues.dims(shape);
    }
    DataType type =
        OnnxTypes.fromOnnx(tensor.GetElementType())
            .orElseThrow(
                () ->
                    new ModelLoadException(
                        "%s: '%s' has ONNX element type %d, which the protocol has no name for"
                            .formatted(file, name, tensor.GetElementType())));
    for (int i = 0; i < dims.length; i++) {
      dims[i] = Math.max(dims[i], Shape.DYNAMIC);
    }
    return new TensorSpec(name, type, Shape.of(dims));
  }

  /** Returns ONNX Runtime's own allocator, needed for strings. */
  static AllocatorWithDefaultOptions allocator() {
    return new AllocatorWithDefaultOptions();
  }
}
