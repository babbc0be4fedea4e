package dev.conveyor.models.optimize.graph;

import dev.conveyor.models.onnx.proto.TensorProto;

/** Compares how much a tensor holds with how much its shape says. Stateless. */
final class TensorContents {

  private TensorContents() {}

  /** Returns what is wrong, in one sentence; empty if nothing is. */
  static String mismatch(TensorProto tensor, TensorProto.DataType type, long elements) {
    if (type == TensorProto.DataType.STRING) {
      return tensor.hasRawData()
          ? "text cannot be raw data"
          : expect(tensor.getStringDataCount(), elements, "strings");
    }
    if (tensor.hasRawData()) {
      return bits(type) == 0
          ? ""
          : expect(tensor.getRawData().size(), (elements * bits(type) + 7) / 8, "bytes");
    }
    return switch (type) {
      case FLOAT -> expect(tensor.getFloatDataCount(), elements, "floats");
      case COMPLEX64 -> expect(tensor.getFloatDataCount(), 2 * elements, "floats");
      case DOUBLE -> expect(tensor.getDoubleDataCount(), elements, "doubles");
      case COMPLEX128 -> expect(tensor.getDoubleDataCount(), 2 * elements, "doubles");
      case INT64 -> expect(tensor.getInt64DataCount(), elements, "64-bit integers");
      case UINT32, UINT64 -> expect(tensor.getUint64DataCount(), elements, "unsigned integers");
      case INT32, INT16, INT8, UINT16, UINT8, BOOL, FLOAT16, BFLOAT16 ->
          expect(tensor.getInt32DataCount(), elements, "integers");
      default -> "";
    };
  }

  private static String expect(long found, long expected, String what) {
    return found == expected
        ? ""
        : "expected %d %s by its shape, found %d".formatted(expected, what, found);
  }

  /** Returns the bits of an element; 0 for types that this program does not write. */
  private static int bits(TensorProto.DataType type) {
    return switch (type) {
      case INT8, UINT8, BOOL -> 8;
      case INT16, UINT16, FLOAT16, BFLOAT16 -> 16;
      case INT32, UINT32, FLOAT -> 32;
      case INT64, UINT64, DOUBLE, COMPLEX64 -> 64;
      case COMPLEX128 -> 128;
      default -> 0;
    };
  }
}
