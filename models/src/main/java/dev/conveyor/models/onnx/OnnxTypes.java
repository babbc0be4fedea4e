package dev.conveyor.models.onnx;

import static org.bytedeco.onnxruntime.global.onnxruntime.*;

import dev.conveyor.models.DataType;
import java.util.Optional;

/** ONNX Runtime's element types and the protocol's, both ways. */
final class OnnxTypes {

  private OnnxTypes() {}

  static int toOnnx(DataType type) {
    return switch (type) {
      case BOOL -> ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL;
      case UINT8 -> ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8;
      case UINT16 -> ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT16;
      case UINT32 -> ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT32;
      case UINT64 -> ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT64;
      case INT8 -> ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8;
      case INT16 -> ONNX_TENSOR_ELEMENT_DATA_TYPE_INT16;
      case INT32 -> ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32;
      case INT64 -> ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64;
      case FP16 -> ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16;
      case FP32 -> ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
      case FP64 -> ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE;
      case BF16 -> ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16;
      case BYTES -> ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING;
    };
  }

  /** Returns empty for types that the protocol has no name for. */
  static Optional<DataType> fromOnnx(int onnxType) {
    for (DataType type : DataType.values()) {
      if (toOnnx(type) == onnxType) {
        return Optional.of(type);
      }
    }
    return Optional.empty();
  }
}
