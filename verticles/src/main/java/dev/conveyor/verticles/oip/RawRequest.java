package dev.conveyor.verticles.oip;

import dev.conveyor.models.DataType;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.verticles.ServedModel;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Map;

/**
 * Triton's raw binary request: no JSON head, the body is the data of the model's only input, whose
 * shape follows from its length. Thread-safe: no state.
 */
public final class RawRequest {

  private RawRequest() {}

  /**
   * Returns the request for one item, all outputs as binary data.
   *
   * @param body elements without padding; for {@code BYTES} the one element, without its length
   * @throws InferenceException INVALID_REQUEST if the model or the length is not fit for this
   */
  public static InferHead read(ServedModel served, ByteBuffer body) {
    List<TensorSpec> inputs = served.clientInputs();
    if (inputs.size() != 1) {
      throw InferenceException.invalid(
          "a raw binary request needs a model with one input, '%s' has %d"
              .formatted(served.name(), inputs.size()));
    }
    TensorSpec input = inputs.get(0);
    long[] dims = input.shape().toArray();
    if (dims.length > 0 && served.signature().batches()) {
      dims[0] = 1;
    }
    Tensor tensor =
        input.type() == DataType.BYTES ? element(input, dims, body) : array(input, dims, body);
    return new InferHead(null, null, null, List.of(tensor), Map.of(), true, Map.of());
  }

  private static Tensor element(TensorSpec input, long[] dims, ByteBuffer body) {
    for (int i = 0; i < dims.length; i++) {
      dims[i] = dims[i] < 0 ? 1 : dims[i];
    }
    Shape shape = Shape.of(dims);
    if (shape.elements() != 1) {
      throw InferenceException.invalid(
          "a raw binary request needs one element of BYTES, input '%s' has the shape %s"
              .formatted(input.name(), input.shape()));
    }
    ByteBuffer data =
        ByteBuffer.allocate(Integer.BYTES + body.remaining()).order(ByteOrder.LITTLE_ENDIAN);
    data.putInt(body.remaining()).put(body.slice()).flip();
    return Tensor.of(input.name(), DataType.BYTES, shape, data);
  }

  private static Tensor array(TensorSpec input, long[] dims, ByteBuffer body) {
    long known = input.type().sizeBytes();
    int variable = -1;
    for (int i = 0; i < dims.length; i++) {
      if (dims[i] >= 0) {
        known *= dims[i];
      } else if (variable < 0) {
        variable = i;
      } else {
        throw InferenceException.invalid(
            "a raw binary request needs at most one variable dimension, input '%s' has the shape %s"
                .formatted(input.name(), input.shape()));
      }
    }
    int bytes = body.remaining();
    boolean fits = variable < 0 ? bytes == known : known > 0 && bytes % known == 0;
    if (!fits) {
      throw InferenceException.invalid(
          "input byte size mismatch for input '%s' of shape %s: expected %s%d bytes, got %d"
              .formatted(
                  input.name(), input.shape(), variable < 0 ? "" : "a multiple of ", known, bytes));
    }
    if (variable >= 0) {
      dims[variable] = bytes / known;
    }
    return Tensor.of(input.name(), input.type(), Shape.of(dims), body.slice());
  }
}
