package dev.conveyor.verticles.grpc;

import com.google.protobuf.ByteString;
import com.google.protobuf.UnsafeByteOperations;
import dev.conveyor.models.DataType;
import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.scheduler.InferenceResponse;
import dev.conveyor.verticles.InferCall;
import dev.conveyor.verticles.TraceParent;
import dev.conveyor.verticles.oip.Classification;
import dev.conveyor.verticles.proto.InferParameter;
import dev.conveyor.verticles.proto.ModelInferRequest;
import dev.conveyor.verticles.proto.ModelInferRequest.InferInputTensor;
import dev.conveyor.verticles.proto.ModelInferResponse;
import dev.conveyor.verticles.proto.ModelInferResponse.InferOutputTensor;
import dev.conveyor.verticles.shm.RegionRef;
import dev.conveyor.verticles.shm.SharedTensors;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The protocol's inference messages as calls and back. Thread-safe: no state.
 *
 * <p>What only the message can tell is checked here: that data, data type and shape of every input
 * agree with one another. Whether they agree with the model is the gateway's question.
 *
 * <p>Raw inputs are not copied: their tensors refer to the received message. Raw outputs refer to
 * the tensors until the message is serialised, so the response is closed after that.
 */
final class GrpcInferCodec {

  private GrpcInferCodec() {}

  /**
   * Reads a request.
   *
   * @param deadlineNs when the client stops waiting
   * @param tenant who asks; empty if it does not say
   * @param trace the client's {@link TraceParent}; empty if it sent none
   * @param shared takes the inputs that are in shared memory; they are read afterwards
   * @throws InferenceException INVALID_REQUEST or UNSUPPORTED, saying which input and why; {@code
   *     shared} is the caller's to discard then
   */
  static InferCall decode(
      ModelInferRequest request,
      long deadlineNs,
      String tenant,
      String trace,
      SharedTensors shared) {
    CallParameters parameters =
        request.getParametersCount() == 0
            ? CallParameters.NONE
            : CallParameters.of(request.getParametersMap());
    return new InferCall(
        request.getModelName(),
        request.getModelVersion(),
        inputs(request, shared),
        parameters.priority(),
        parameters.timeoutMicros(),
        deadlineNs,
        tenant,
        trace);
  }

  /**
   * Writes a response.
   *
   * @param outputs what to return, or empty for every output
   * @return a builder whose raw contents share the memory of {@code response}
   */
  static ModelInferResponse.Builder encode(
      String id, InferenceResponse response, List<RequestedOutput> outputs) {
    ModelInferResponse.Builder builder =
        ModelInferResponse.newBuilder()
            .setModelName(response.model())
            .setModelVersion(response.version());
    if (!id.isEmpty()) {
      builder.setId(id);
    }
    List<Tensor> tensors = response.outputs();
    if (outputs.isEmpty()) {
      for (int i = 0; i < tensors.size(); i++) {
        add(builder, tensors.get(i), null);
      }
      return builder;
    }
    for (int i = 0; i < outputs.size(); i++) {
      RequestedOutput output = outputs.get(i);
      Tensor tensor = find(tensors, output.name());
      add(
          builder,
          output.classes() == 0
              ? tensor
              : Classification.topK(tensor, output.classes(), output.labels(), output.batched()),
          output.region());
    }
    return builder;
  }

  private static List<Tensor> inputs(ModelInferRequest request, SharedTensors shared) {
    int count = request.getInputsCount();
    int rawCount = request.getRawInputContentsCount();
    int sent = 0;
    List<Tensor> inputs = new ArrayList<>(count);
    for (int i = 0; i < count; i++) {
      InferInputTensor input = request.getInputs(i);
      for (int j = 0; j < i; j++) {
        if (inputs.get(j).name().equals(input.getName())) {
          throw InferenceException.invalid(
              "input '" + input.getName() + "' already exists in request");
        }
      }
      RegionRef region = CallParameters.region(input.getName(), input.getParametersMap());
      if (region != null) {
        inputs.add(shared(input, region, shared));
      } else if (rawCount == 0) {
        inputs.add(input(input, null));
      } else if (sent < rawCount) {
        inputs.add(input(input, request.getRawInputContents(sent++)));
      } else {
        throw wrongCount(request);
      }
    }
    if (sent < rawCount) {
      throw wrongCount(request);
    }
    return inputs;
  }

  private static InferenceException wrongCount(ModelInferRequest request) {
    long toSend =
        request.getInputsList().stream()
            .filter(input -> !input.containsParameters(RegionRef.REGION))
            .count();
    return InferenceException.invalid(
        "expected one raw_input_contents for each of the "
            + toSend
            + " inputs of model '"
            + request.getModelName()
            + "', got "
            + request.getRawInputContentsCount());
  }

  private static Tensor shared(InferInputTensor input, RegionRef region, SharedTensors shared) {
    String name = input.getName();
    if (input.hasContents()) {
      throw InferenceException.invalid(
          "unexpected 'content' provided when using shared memory for input '" + name + "'");
    }
    DataType type = type(input);
    Shape shape = shape(input);
    if (type != DataType.BYTES) { // how many bytes strings have only they can tell
      requireSize(name, type, elements(name, shape), region.byteSize());
    }
    return shared.input(name, type, shape, region);
  }

  private static Tensor input(InferInputTensor input, @Nullable ByteString raw) {
    String name = input.getName();
    DataType type = type(input);
    Shape shape = shape(input);
    long elements = elements(name, shape);
    ByteBuffer data;
    if (raw == null) {
      data = TypedContents.toBytes(input, type, elements);
    } else if (input.hasContents()) {
      throw InferenceException.invalid(
          "contents field must not be specified when using raw_input_contents for '" + name + "'");
    } else {
      data = raw.asReadOnlyByteBuffer();
      if (type == DataType.BYTES) {
        requireStrings(name, elements, data.slice().order(ByteOrder.LITTLE_ENDIAN));
      } else {
        requireSize(name, type, elements, data.remaining());
      }
    }
    return Tensor.of(name, type, shape, data);
  }

  private static DataType type(InferInputTensor input) {
    String datatype = input.getDatatype();
    DataType type = DataType.find(datatype).orElse(null);
    if (type == null || !type.name().equals(datatype)) {
      throw InferenceException.invalid(
          "input '" + input.getName() + "' has unknown datatype '" + datatype + "'");
    }
    return type;
  }

  private static Shape shape(InferInputTensor input) {
    long[] dims = new long[input.getShapeCount()];
    for (int i = 0; i < dims.length; i++) {
      dims[i] = input.getShape(i);
      if (dims[i] < 0) {
        throw InferenceException.invalid(
            "input '"
                + input.getName()
                + "' has a negative dimension in its shape "
                + input.getShapeList());
      }
    }
    return Shape.of(dims);
  }

  private static long elements(String name, Shape shape) {
    try {
      return shape.elements();
    } catch (ArithmeticException e) {
      throw InferenceException.invalid(
          "input '" + name + "': element count of shape " + shape + " is too large");
    }
  }

  private static void requireSize(String name, DataType type, long elements, long bytes) {
    int elementBytes = type.sizeBytes();
    // Divided, not multiplied: a shape may ask for more bytes than fit in a long.
    if (bytes % elementBytes != 0 || bytes / elementBytes != elements) {
      throw InferenceException.invalid(
          "input byte size mismatch for input '"
              + name
              + "', expected "
              + elements
              + " elements of "
              + elementBytes
              + " bytes, got "
              + bytes
              + " bytes");
    }
  }

  private static void requireStrings(String name, long elements, ByteBuffer data) {
    long found = 0;
    int at = 0;
    while (at < data.limit()) {
      int left = data.limit() - at - 4;
      int length = left < 0 ? -1 : data.getInt(at);
      if (length < 0 || length > left) {
        throw InferenceException.invalid(
            "incomplete string data for input '" + name + "': element " + found + " is cut off");
      }
      at += 4 + length;
      found++;
    }
    if (found != elements) {
      throw InferenceException.invalid(
          "unexpected number of string elements "
              + found
              + " for input '"
              + name
              + "', expecting "
              + elements);
    }
  }

  private static Tensor find(List<Tensor> tensors, String name) {
    for (int i = 0; i < tensors.size(); i++) {
      if (tensors.get(i).name().equals(name)) {
        return tensors.get(i);
      }
    }
    throw new InferenceException(
        ErrorCode.EXECUTION_FAILED, "the model gave no output '" + name + "'");
  }

  private static void add(
      ModelInferResponse.Builder builder, Tensor tensor, @Nullable RegionRef region) {
    InferOutputTensor.Builder output =
        InferOutputTensor.newBuilder().setName(tensor.name()).setDatatype(tensor.type().name());
    Shape shape = tensor.shape();
    for (int i = 0; i < shape.rank(); i++) {
      output.addShape(shape.dim(i));
    }
    if (region != null) {
      output
          .putParameters(
              RegionRef.REGION, InferParameter.newBuilder().setStringParam(region.region()).build())
          .putParameters(RegionRef.OFFSET, integer(region.offset()))
          .putParameters(RegionRef.BYTE_SIZE, integer(tensor.sizeBytes()));
    }
    builder.addOutputs(output.build());
    // As many as outputs, whatever is in them: clients find theirs by its position.
    builder.addRawOutputContents(
        region == null
            ? UnsafeByteOperations.unsafeWrap(tensor.data().duplicate())
            : ByteString.EMPTY);
  }

  private static InferParameter integer(long value) {
    return InferParameter.newBuilder().setInt64Param(value).build();
  }
}
