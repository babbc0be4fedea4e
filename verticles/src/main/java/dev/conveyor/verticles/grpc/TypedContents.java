package dev.conveyor.verticles.grpc;

import com.google.protobuf.ByteString;
import dev.conveyor.models.DataType;
import dev.conveyor.models.InferenceException;
import dev.conveyor.verticles.proto.InferTensorContents;
import dev.conveyor.verticles.proto.ModelInferRequest.InferInputTensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Elements in protobuf's own fields, as the bytes that a tensor holds. Thread-safe: no state.
 *
 * <p>Counts are compared with the shape before anything is allocated, so a shape cannot claim more
 * memory than the message that carries it has.
 */
final class TypedContents {

  private TypedContents() {}

  /**
   * Returns the elements of {@code input}, little-endian.
   *
   * @throws InferenceException INVALID_REQUEST if they are in the field of another type, too few,
   *     too many, or out of the range of the type
   */
  static ByteBuffer toBytes(InferInputTensor input, DataType type, long elements) {
    InferTensorContents contents = input.getContents();
    int count = count(input, contents, type);
    if (count != total(contents)) {
      throw InferenceException.invalid(
          "unexpected explicit tensor data for input tensor '"
              + input.getName()
              + "', expected the contents field of datatype '"
              + type
              + "' and no other");
    }
    if (count != elements) {
      throw InferenceException.invalid(
          "input '"
              + input.getName()
              + "' has "
              + count
              + " elements of explicit tensor data, its shape expects "
              + elements);
    }
    if (type == DataType.BYTES) {
      return strings(contents);
    }
    ByteBuffer bytes =
        ByteBuffer.allocate(Math.multiplyExact(count, type.sizeBytes()))
            .order(ByteOrder.LITTLE_ENDIAN);
    put(input.getName(), contents, type, count, bytes);
    return bytes.flip();
  }

  private static int count(InferInputTensor input, InferTensorContents contents, DataType type) {
    return switch (type) {
      case BOOL -> contents.getBoolContentsCount();
      case INT8, INT16, INT32 -> contents.getIntContentsCount();
      case INT64 -> contents.getInt64ContentsCount();
      case UINT8, UINT16, UINT32 -> contents.getUintContentsCount();
      case UINT64 -> contents.getUint64ContentsCount();
      case FP32 -> contents.getFp32ContentsCount();
      case FP64 -> contents.getFp64ContentsCount();
      case BYTES -> contents.getBytesContentsCount();
      case FP16, BF16 ->
          throw InferenceException.invalid(
              "input '"
                  + input.getName()
                  + "': datatype '"
                  + type
                  + "' has no contents field, send it in raw_input_contents");
    };
  }

  private static long total(InferTensorContents contents) {
    return (long) contents.getBoolContentsCount()
        + contents.getIntContentsCount()
        + contents.getInt64ContentsCount()
        + contents.getUintContentsCount()
        + contents.getUint64ContentsCount()
        + contents.getFp32ContentsCount()
        + contents.getFp64ContentsCount()
        + contents.getBytesContentsCount();
  }

  private static void put(
      String name, InferTensorContents contents, DataType type, int count, ByteBuffer to) {
    for (int i = 0; i < count; i++) {
      switch (type) {
        case BOOL -> to.put((byte) (contents.getBoolContents(i) ? 1 : 0));
        case INT8 -> to.put((byte) signed(name, type, contents.getIntContents(i)));
        case INT16 -> to.putShort((short) signed(name, type, contents.getIntContents(i)));
        case INT32 -> to.putInt(contents.getIntContents(i));
        case INT64 -> to.putLong(contents.getInt64Contents(i));
        case UINT8 -> to.put((byte) unsigned(name, type, contents.getUintContents(i)));
        case UINT16 -> to.putShort((short) unsigned(name, type, contents.getUintContents(i)));
        case UINT32 -> to.putInt(contents.getUintContents(i));
        case UINT64 -> to.putLong(contents.getUint64Contents(i));
        case FP32 -> to.putFloat(contents.getFp32Contents(i));
        case FP64 -> to.putDouble(contents.getFp64Contents(i));
        case FP16, BF16, BYTES -> throw new IllegalArgumentException(type + " is handled before");
      }
    }
  }

  private static int signed(String name, DataType type, int value) {
    int spareBits = Integer.SIZE - 8 * type.sizeBytes();
    if (value << spareBits >> spareBits != value) {
      throw outOfRange(name, type, value);
    }
    return value;
  }

  private static int unsigned(String name, DataType type, int value) {
    if (value >>> (8 * type.sizeBytes()) != 0) {
      throw outOfRange(name, type, Integer.toUnsignedLong(value));
    }
    return value;
  }

  private static InferenceException outOfRange(String name, DataType type, long value) {
    return InferenceException.invalid(
        "input '" + name + "': value " + value + " is out of the range of " + type);
  }

  private static ByteBuffer strings(InferTensorContents contents) {
    int count = contents.getBytesContentsCount();
    int bytes = 0;
    for (int i = 0; i < count; i++) {
      bytes = Math.addExact(bytes, 4 + contents.getBytesContents(i).size());
    }
    ByteBuffer buffer = ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < count; i++) {
      ByteString element = contents.getBytesContents(i);
      buffer.putInt(element.size());
      element.copyTo(buffer);
    }
    return buffer.flip();
  }
}
