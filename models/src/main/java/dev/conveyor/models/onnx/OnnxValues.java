package dev.conveyor.models.onnx;

import static org.bytedeco.onnxruntime.global.onnxruntime.OrtDeviceAllocator;
import static org.bytedeco.onnxruntime.global.onnxruntime.OrtMemTypeDefault;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.backend.BatchRequest;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.onnxruntime.AllocatorWithDefaultOptions;
import org.bytedeco.onnxruntime.LongVector;
import org.bytedeco.onnxruntime.MemoryInfo;
import org.bytedeco.onnxruntime.OrtAllocator;
import org.bytedeco.onnxruntime.TensorTypeAndShapeInfo;
import org.bytedeco.onnxruntime.Value;

/** Makes ONNX Runtime's values from our bytes and back. Thread-safe: no state. */
final class OnnxValues {

  private OnnxValues() {}

  static MemoryInfo cpuMemory() {
    return MemoryInfo.CreateCpu(OrtDeviceAllocator, OrtMemTypeDefault);
  }

  /** Returns a value that reads and writes {@code data} in place. */
  static Value over(MemoryInfo memory, DataType type, long[] shape, Pointer data) {
    long elements = Shape.of(shape).elements();
    return Value.CreateTensor(
        memory.asOrtMemoryInfo(),
        data,
        Math.multiplyExact(elements, type.sizeBytes()),
        shape,
        shape.length,
        OnnxTypes.toOnnx(type));
  }

  /** Returns a string value with the elements of input {@code index} of every request. */
  static Value strings(List<? extends BatchRequest> requests, int index, long[] shape) {
    try (AllocatorWithDefaultOptions allocator = OnnxModel.allocator()) {
      Value value =
          Value.CreateTensor(
              new OrtAllocator(allocator.multiply()),
              shape,
              shape.length,
              OnnxTypes.toOnnx(DataType.BYTES));
      long element = 0;
      for (BatchRequest request : requests) {
        ByteBuffer data =
            request.inputs().get(index).data().duplicate().order(ByteOrder.LITTLE_ENDIAN);
        while (data.hasRemaining()) {
          byte[] bytes = new byte[data.getInt()];
          data.get(bytes);
          fill(value, element++, bytes);
        }
      }
      return value;
    }
  }

  /** Copies a value that ONNX Runtime allocated to the heap. */
  static Tensor toTensor(String name, Value value) {
    try (TensorTypeAndShapeInfo info = value.GetTensorTypeAndShapeInfo();
        LongVector dims = info.GetShape()) {
      Shape shape = Shape.of(dims(dims));
      DataType type =
          OnnxTypes.fromOnnx(info.GetElementType())
              .orElseThrow(() -> new IllegalStateException(name + ": unknown element type"));
      ByteBuffer data =
          type == DataType.BYTES
              ? stringBytes(value, shape.elements())
              : rawBytes(value, Math.toIntExact(shape.elements() * type.sizeBytes()));
      return Tensor.of(name, type, shape, data);
    }
  }

  static long[] dims(LongVector shape) {
    long[] dims = new long[Math.toIntExact(shape.size())];
    for (int i = 0; i < dims.length; i++) {
      dims[i] = shape.get(i);
    }
    return dims;
  }

  private static void fill(Value value, long element, byte[] bytes) {
    BytePointer target = value.GetResizedStringTensorElementBuffer(element, bytes.length);
    target.put(bytes, 0, bytes.length);
  }

  private static ByteBuffer rawBytes(Value value, int length) {
    byte[] bytes = new byte[length];
    if (length > 0) {
      new BytePointer(value.GetTensorMutableRawData()).get(bytes, 0, length);
    }
    return ByteBuffer.wrap(bytes);
  }

  private static ByteBuffer stringBytes(Value value, long elements) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ByteBuffer prefix = ByteBuffer.allocate(Integer.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    for (long i = 0; i < elements; i++) {
      int length = Math.toIntExact(value.GetStringTensorElementLength(i));
      byte[] bytes = new byte[length];
      if (length > 0) {
        try (BytePointer element = new BytePointer((long) length)) {
          value.GetStringTensorElement(length, i, element);
          element.get(bytes, 0, length);
        }
      }
      out.writeBytes(prefix.putInt(0, length).array());
      out.writeBytes(bytes);
    }
    return ByteBuffer.wrap(out.toByteArray());
  }
}
