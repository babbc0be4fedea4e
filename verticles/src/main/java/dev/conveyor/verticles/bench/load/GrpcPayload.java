package dev.conveyor.verticles.bench.load;

import com.google.protobuf.CodedInputStream;
import com.google.protobuf.CodedOutputStream;
import com.google.protobuf.WireFormat;
import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.TensorSpec;
import io.vertx.core.buffer.Buffer;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;

/**
 * The few messages of {@code inference.GRPCInferenceService} that load needs, written and read by
 * field number. Encoding once and sending the same bytes keeps the generated classes' cost out of
 * the client. Stateless.
 */
final class GrpcPayload {

  private static final int INFER_MODEL_NAME = 1;
  private static final int INFER_INPUTS = 5;
  private static final int INFER_OUTPUTS = 6;
  private static final int INFER_RAW_INPUT_CONTENTS = 7;
  private static final int METADATA_NAME = 1;
  private static final int METADATA_INPUTS = 4;
  // The same in InferInputTensor, InferRequestedOutputTensor and TensorMetadata.
  private static final int TENSOR_NAME = 1;
  private static final int TENSOR_DATATYPE = 2;
  private static final int TENSOR_SHAPE = 3;

  private GrpcPayload() {}

  /** Writes one part of a message. */
  private interface Part {
    void write(CodedOutputStream out) throws IOException;
  }

  /** Returns a {@code ModelInferRequest} with raw contents. */
  static Buffer inferRequest(InferPayload payload) {
    return Buffer.buffer(
        message(
            out -> {
              out.writeString(INFER_MODEL_NAME, payload.model());
              for (RequestTensor tensor : payload.inputs()) {
                out.writeByteArray(INFER_INPUTS, message(part -> writeTensor(part, tensor)));
              }
              for (String output : payload.outputs()) {
                out.writeByteArray(
                    INFER_OUTPUTS, message(part -> part.writeString(TENSOR_NAME, output)));
              }
              for (RequestTensor tensor : payload.inputs()) {
                out.writeByteArray(INFER_RAW_INPUT_CONTENTS, tensor.data().getBytes());
              }
            }));
  }

  /** Returns a {@code ModelMetadataRequest}. */
  static Buffer metadataRequest(String model) {
    return Buffer.buffer(message(out -> out.writeString(METADATA_NAME, model)));
  }

  /** Reads the inputs out of a {@code ModelMetadataResponse}. */
  static List<TensorSpec> metadataInputs(Buffer response) {
    try {
      List<TensorSpec> inputs = new ArrayList<>();
      CodedInputStream in = CodedInputStream.newInstance(response.getBytes());
      for (int tag = in.readTag(); tag != 0; tag = in.readTag()) {
        if (WireFormat.getTagFieldNumber(tag) == METADATA_INPUTS) {
          inputs.add(readTensor(CodedInputStream.newInstance(in.readByteArray())));
        } else {
          in.skipField(tag);
        }
      }
      return inputs;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static void writeTensor(CodedOutputStream out, RequestTensor tensor) throws IOException {
    out.writeString(TENSOR_NAME, tensor.name());
    out.writeString(TENSOR_DATATYPE, tensor.type().name());
    out.writeByteArray(
        TENSOR_SHAPE,
        message(
            packed -> {
              for (long dim : tensor.shape().toArray()) {
                packed.writeInt64NoTag(dim);
              }
            }));
  }

  private static TensorSpec readTensor(CodedInputStream in) throws IOException {
    String name = "";
    String type = "";
    List<Long> dims = new ArrayList<>();
    for (int tag = in.readTag(); tag != 0; tag = in.readTag()) {
      switch (WireFormat.getTagFieldNumber(tag)) {
        case TENSOR_NAME -> name = in.readString();
        case TENSOR_DATATYPE -> type = in.readString();
        case TENSOR_SHAPE -> readDims(in, tag, dims);
        default -> in.skipField(tag);
      }
    }
    String found = type;
    return new TensorSpec(
        name,
        DataType.find(type)
            .orElseThrow(() -> new IllegalStateException("unknown data type " + found)),
        Shape.of(dims));
  }

  /** Reads a repeated number: packed, or one element of it. */
  private static void readDims(CodedInputStream in, int tag, List<Long> dims) throws IOException {
    if (WireFormat.getTagWireType(tag) == WireFormat.WIRETYPE_VARINT) {
      dims.add(in.readInt64());
      return;
    }
    CodedInputStream packed = CodedInputStream.newInstance(in.readByteArray());
    while (!packed.isAtEnd()) {
      dims.add(packed.readInt64());
    }
  }

  private static byte[] message(Part part) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try {
      CodedOutputStream out = CodedOutputStream.newInstance(bytes);
      part.write(out);
      out.flush();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return bytes.toByteArray();
  }
}
