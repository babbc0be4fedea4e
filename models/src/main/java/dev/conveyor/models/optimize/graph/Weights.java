package dev.conveyor.models.optimize.graph;

import com.google.protobuf.ByteString;
import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.onnx.proto.TensorProto;
import dev.conveyor.models.optimize.OptimizeException;
import dev.conveyor.models.optimize.precision.Float16;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Optional;

/** Constant tensors as arrays and back. Stateless. */
public final class Weights {

  private Weights() {}

  public static long[] dims(TensorProto tensor) {
    return tensor.getDimsList().stream().mapToLong(Long::longValue).toArray();
  }

  public static int elements(TensorProto tensor) {
    long elements = 1;
    for (long dim : tensor.getDimsList()) {
      elements = Math.multiplyExact(elements, dim);
    }
    return Math.toIntExact(elements);
  }

  public static boolean isFloat(TensorProto tensor) {
    return tensor.getDataType() == TensorProto.DataType.FLOAT.getNumber();
  }

  /**
   * Returns the values of an FP32 tensor.
   *
   * @throws OptimizeException if it is of another type or too short
   */
  public static float[] floats(TensorProto tensor) {
    if (!isFloat(tensor)) {
      throw new OptimizeException(
          "'%s' has ONNX element type %d, FLOAT was expected"
              .formatted(tensor.getName(), tensor.getDataType()));
    }
    float[] values = new float[elements(tensor)];
    if (tensor.hasRawData()) {
      requireLength(tensor, values.length * 4L, tensor.getRawData().size());
      little(tensor.getRawData()).asFloatBuffer().get(values);
    } else {
      requireLength(tensor, values.length, tensor.getFloatDataCount());
      for (int i = 0; i < values.length; i++) {
        values[i] = tensor.getFloatData(i);
      }
    }
    return values;
  }

  /** Returns the values of an INT64 or INT32 tensor. */
  public static long[] longs(TensorProto tensor) {
    long[] values = new long[elements(tensor)];
    boolean wide = tensor.getDataType() == TensorProto.DataType.INT64.getNumber();
    if (!wide && tensor.getDataType() != TensorProto.DataType.INT32.getNumber()) {
      throw new OptimizeException(
          "'%s' has ONNX element type %d, INT64 was expected"
              .formatted(tensor.getName(), tensor.getDataType()));
    }
    boolean raw = tensor.hasRawData();
    requireLength(
        tensor,
        values.length * (raw ? (wide ? 8L : 4L) : 1L),
        raw
            ? tensor.getRawData().size()
            : wide ? tensor.getInt64DataCount() : tensor.getInt32DataCount());
    ByteBuffer bytes = little(tensor.getRawData());
    for (int i = 0; i < values.length; i++) {
      values[i] =
          wide
              ? raw ? bytes.getLong() : tensor.getInt64Data(i)
              : raw ? bytes.getInt() : tensor.getInt32Data(i);
    }
    return values;
  }

  public static TensorProto ofFloats(long[] dims, float... values) {
    byte[] bytes = new byte[values.length * 4];
    over(bytes).asFloatBuffer().put(values);
    return raw(TensorProto.DataType.FLOAT, dims, bytes);
  }

  public static TensorProto ofLongs(long... values) {
    byte[] bytes = new byte[values.length * 8];
    over(bytes).asLongBuffer().put(values);
    return raw(TensorProto.DataType.INT64, new long[] {values.length}, bytes);
  }

  public static TensorProto ofInts(long[] dims, int... values) {
    byte[] bytes = new byte[values.length * 4];
    over(bytes).asIntBuffer().put(values);
    return raw(TensorProto.DataType.INT32, dims, bytes);
  }

  /** Returns 16-bit floats; what is too large becomes infinite. */
  public static TensorProto ofHalfs(boolean brain, long[] dims, float[] values) {
    byte[] bytes = new byte[values.length * 2];
    ByteBuffer target = over(bytes);
    for (float value : values) {
      target.putShort(brain ? Float16.toBfloat16(value) : Float16.toHalf(value));
    }
    return raw(brain ? TensorProto.DataType.BFLOAT16 : TensorProto.DataType.FLOAT16, dims, bytes);
  }

  /** Returns a tensor over the raw little-endian bytes of its elements. */
  public static TensorProto raw(TensorProto.DataType type, long[] dims, byte... bytes) {
    TensorProto.Builder tensor =
        TensorProto.newBuilder()
            .setDataType(type.getNumber())
            .setRawData(ByteString.copyFrom(bytes));
    for (long dim : dims) {
      tensor.addDims(dim);
    }
    return tensor.build();
  }

  /** Returns what a run answered as a constant; empty for types that are not made constant. */
  static Optional<TensorProto> of(Tensor tensor) {
    TensorProto.DataType type =
        switch (tensor.type()) {
          case FP32 -> TensorProto.DataType.FLOAT;
          case FP64 -> TensorProto.DataType.DOUBLE;
          case FP16 -> TensorProto.DataType.FLOAT16;
          case INT64 -> TensorProto.DataType.INT64;
          case INT32 -> TensorProto.DataType.INT32;
          case INT8 -> TensorProto.DataType.INT8;
          case UINT8 -> TensorProto.DataType.UINT8;
          case BOOL -> TensorProto.DataType.BOOL;
          case BF16, BYTES, INT16, UINT16, UINT32, UINT64 -> TensorProto.DataType.UNDEFINED;
        };
    if (type == TensorProto.DataType.UNDEFINED) {
      return Optional.empty();
    }
    byte[] bytes = new byte[tensor.sizeBytes()];
    tensor.data().duplicate().get(bytes);
    return Optional.of(raw(type, tensor.shape().toArray(), bytes));
  }

  /** Returns the values of an FP32 tensor of a run. */
  public static float[] floats(Tensor tensor) {
    if (tensor.type() != DataType.FP32) {
      throw new OptimizeException("'%s' is %s, not FP32".formatted(tensor.name(), tensor.type()));
    }
    float[] values = new float[tensor.sizeBytes() / Float.BYTES];
    tensor.data().duplicate().order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(values);
    return values;
  }

  /** Returns an FP32 tensor for a run. */
  public static Tensor tensor(String name, Shape shape, float[] values) {
    byte[] bytes = new byte[values.length * 4];
    over(bytes).asFloatBuffer().put(values);
    return Tensor.of(name, DataType.FP32, shape, over(bytes));
  }

  /** Returns the bytes that the elements take in a file. */
  public static long bytes(List<TensorProto> tensors) {
    return tensors.stream().mapToLong(TensorProto::getSerializedSize).sum();
  }

  private static ByteBuffer over(byte[] bytes) {
    return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  private static ByteBuffer little(ByteString bytes) {
    return bytes.asReadOnlyByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
  }

  private static void requireLength(TensorProto tensor, long expected, long found) {
    if (expected != found) {
      throw new OptimizeException(
          "'%s' has shape %s but holds %d, %d were expected"
              .formatted(tensor.getName(), tensor.getDimsList(), found, expected));
    }
  }
}
