package dev.conveyor.models.device;

import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.backend.BatchResult;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/**
 * Splits the outputs of a batch by request, without copying: the tensors lie where the device has
 * written them, on the host or on the device, and the block goes back when the last of them is
 * closed. Stateless.
 */
final class Outputs {

  private Outputs() {}

  /** Returns the result of a batch that is done, timed by the device. */
  static BatchResult split(Cuda cuda, DeviceLayout layout, Slot slot) {
    long copyInNs = cuda.elapsedNs(slot.begun, slot.copiedIn);
    long computeNs = cuda.elapsedNs(slot.computing, slot.computed);
    long copyOutNs = cuda.elapsedNs(slot.computed, slot.done);
    List<List<Tensor>> answers = new ArrayList<>(slot.requests.size());
    int first = 0;
    for (int r = 0; r < slot.requests.size(); r++) {
      int size = slot.requests.get(r).batchSize();
      answers.add(tensors(layout, slot, r, first, size));
      first += size;
    }
    return new BatchResult(answers, copyInNs, computeNs, copyOutNs);
  }

  private static List<Tensor> tensors(
      DeviceLayout layout, Slot slot, int request, int first, int size) {
    if (layout.outputs().size() == 1) {
      return List.of(tensor(layout, slot, 0, request, first, size));
    }
    Tensor[] tensors = new Tensor[layout.outputs().size()];
    for (int o = 0; o < tensors.length; o++) {
      tensors[o] = tensor(layout, slot, o, request, first, size);
    }
    return List.of(tensors);
  }

  private static Tensor tensor(
      DeviceLayout layout, Slot slot, int output, int request, int first, int size) {
    TensorSpec spec = layout.outputs().get(output);
    if (slot.varies()) {
      return VaryingOutputs.tensor(layout.outputs(), slot, output, first, size);
    }
    long itemBytes = layout.outputItemBytes(output);
    int bytes = Math.toIntExact(size * itemBytes);
    long[] places = slot.residentAt;
    long place =
        places == null ? OutputCopies.ON_HOST : places[output * slot.requests.size() + request];
    if (place != OutputCopies.ON_HOST) {
      return Tensor.late(
          spec.name(),
          spec.type(),
          layout.outputShape(output, size),
          ResidentBytes.in(Objects.requireNonNull(slot.resident), place, bytes));
    }
    return Tensor.ofLease(
        spec.name(),
        spec.type(),
        layout.outputShape(output, size),
        Objects.requireNonNull(slot.outputs).share(),
        Math.toIntExact(layout.hostOffset(output, slot.items) + first * itemBytes),
        bytes);
  }
}
