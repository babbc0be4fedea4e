package dev.conveyor.verticles.oip;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.scheduler.InferenceResponse;
import dev.conveyor.verticles.ServedModel;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Remembers the JSON heads of answers whose tensors all go out as binary data: for the same
 * question and the same shapes they are the same, byte for byte, and writing one costs more than
 * running a small model.
 *
 * <p>Thread-confined: one event loop. Bounded: a fixed number of slots, the newcomer wins. Useful
 * only beside {@link HeadCache}, which gives equal questions the same map of outputs.
 */
public final class AnswerHeads {

  private static final int SLOTS = 64;

  /** What a head says of a tensor. */
  private record Described(String name, DataType type, Shape shape, int sizeBytes) {

    boolean fits(Tensor tensor) {
      return type == tensor.type()
          && sizeBytes == tensor.sizeBytes()
          && shape.equals(tensor.shape())
          && name.equals(tensor.name());
    }
  }

  /** A head and what it was written for. */
  private record Slot(
      Map<String, InferHead.Output> wanted,
      boolean binaryByDefault,
      String model,
      String version,
      List<Described> tensors,
      ByteBuffer head) {

    boolean fits(InferHead request, InferenceResponse response) {
      List<Tensor> outputs = response.outputs();
      if (wanted != request.outputs()
          || binaryByDefault != request.binaryByDefault()
          || tensors.size() != outputs.size()
          || !model.equals(response.model())
          || !version.equals(response.version())) {
        return false;
      }
      for (int i = 0; i < tensors.size(); i++) {
        if (!tensors.get(i).fits(outputs.get(i))) {
          return false;
        }
      }
      return true;
    }
  }

  private final @Nullable Slot[] slots = new Slot[SLOTS];

  /** As {@link InferResponseWriter#encode}. */
  public InferResponseWriter.Encoded encode(
      ServedModel model, InferHead request, InferenceResponse response) {
    if (request.id() != null) {
      return InferResponseWriter.encode(model, request, response);
    }
    int index =
        (System.identityHashCode(request.outputs()) ^ response.model().hashCode()) & (SLOTS - 1);
    Slot slot = slots[index];
    if (slot != null && slot.fits(request, response)) {
      return new InferResponseWriter.Encoded(slot.head.duplicate(), data(request, response));
    }
    InferResponseWriter.Encoded encoded = InferResponseWriter.encode(model, request, response);
    if (isBinary(request, response) && encoded.binary().size() > 0) {
      slots[index] = slot(request, response, encoded.head());
    }
    return encoded;
  }

  private static boolean isBinary(InferHead request, InferenceResponse response) {
    for (Tensor tensor : response.outputs()) {
      InferHead.Output wanted = request.wanted(tensor.name());
      if (wanted != null) {
        boolean binary = wanted.binary() == null ? request.binaryByDefault() : wanted.binary();
        if (!binary || wanted.classification() > 0 || wanted.region() != null) {
          return false;
        }
      }
    }
    return true;
  }

  private static List<ByteBuffer> data(InferHead request, InferenceResponse response) {
    List<Tensor> outputs = response.outputs();
    List<ByteBuffer> data = new ArrayList<>(outputs.size());
    for (int i = 0; i < outputs.size(); i++) {
      Tensor tensor = outputs.get(i);
      if (request.wanted(tensor.name()) != null) {
        data.add(tensor.data().duplicate());
      }
    }
    return data;
  }

  private static Slot slot(InferHead request, InferenceResponse response, ByteBuffer head) {
    List<Described> tensors = new ArrayList<>();
    for (Tensor tensor : response.outputs()) {
      tensors.add(new Described(tensor.name(), tensor.type(), tensor.shape(), tensor.sizeBytes()));
    }
    return new Slot(
        request.outputs(),
        request.binaryByDefault(),
        response.model(),
        response.version(),
        tensors,
        head.duplicate());
  }
}
