package dev.conveyor.models.device;

import dev.conveyor.memory.Lease;
import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.backend.BatchRequest;
import dev.conveyor.models.backend.BatchResult;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/**
 * Splits the outputs of a batch by request, without copying: the tensors lie where the device has
 * written them, and the block goes back when the last of them is closed. Stateless.
 */
final class Outputs {

  private Outputs() {}

  /** Returns the result of a batch that is done, timed by the device. */
  static BatchResult split(Cuda cuda, DeviceLayout layout, Slot slot) {
    long copyInNs = cuda.elapsedNs(slot.begun, slot.copiedIn);
    long computeNs = cuda.elapsedNs(slot.computing, slot.computed);
    long copyOutNs = cuda.elapsedNs(slot.computed, slot.done);
    Lease lease = Objects.requireNonNull(slot.outputs);
    List<List<Tensor>> answers = new ArrayList<>(slot.requests.size());
    int first = 0;
    for (int r = 0; r < slot.requests.size(); r++) {
      BatchRequest request = slot.requests.get(r);
      answers.add(tensors(layout, lease, first, request.batchSize()));
      first += request.batchSize();
    }
    return new BatchResult(answers, copyInNs, computeNs, copyOutNs);
  }

  private static List<Tensor> tensors(DeviceLayout layout, Lease lease, int first, int size) {
    if (layout.outputs().size() == 1) {
      return List.of(tensor(layout, lease, 0, first, size));
    }
    Tensor[] tensors = new Tensor[layout.outputs().size()];
    for (int o = 0; o < tensors.length; o++) {
      tensors[o] = tensor(layout, lease, o, first, size);
    }
    return List.of(tensors);
  }

  private static Tensor tensor(DeviceLayout layout, Lease lease, int output, int first, int size) {
    TensorSpec spec = layout.outputs().get(output);
    long itemBytes = layout.outputItemBytes(output);
    return Tensor.ofLease(
        spec.name(),
        spec.type(),
        layout.outputShape(output, size),
        lease.share(),
        Math.toIntExact(layout.outputOffset(output) + first * itemBytes),
        Math.toIntExact(size * itemBytes));
  }
}
