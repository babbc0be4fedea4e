package dev.conveyor.models.device;

import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.Lease;
import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import java.util.List;
import java.util.Objects;

/**
 * The outputs of a batch whose shapes its engine told: each is copied to the host whole, behind the
 * one before, and split there by request without copying. Stateless.
 */
final class VaryingOutputs {

  private VaryingOutputs() {}

  /**
   * Takes memory on the host and enqueues the copies to it.
   *
   * @throws dev.conveyor.memory.BudgetExceededException if there is none
   * @throws IllegalStateException if an output of several requests cannot be split
   */
  static void toHost(
      Cuda cuda, List<TensorSpec> outputs, BufferPool pinned, Slot slot, long stream) {
    DeviceOutputs produced = Objects.requireNonNull(slot.produced());
    for (int o = 0; o < outputs.size(); o++) {
      Shape shape = produced.shape(o);
      if (slot.requests.size() > 1 && (shape.rank() == 0 || shape.dim(0) != slot.items)) {
        throw new IllegalStateException(
            "output '%s' has shape %s for a batch of %d: its first dimension is not the batch"
                .formatted(outputs.get(o).name(), shape, slot.items));
      }
    }
    Lease host = pinned.acquire(Math.max(1, offset(outputs, produced, outputs.size())));
    slot.outputs = host;
    for (int o = 0; o < outputs.size(); o++) {
      long bytes = bytes(outputs.get(o), produced.shape(o));
      if (bytes > 0) {
        cuda.copyToHost(
            host.address() + offset(outputs, produced, o), produced.address(o), bytes, stream);
      }
    }
  }

  /**
   * Returns an output of one request, which is all of it if there is no other in the batch.
   *
   * @param first item of the request in the batch
   * @param size its items
   */
  static Tensor tensor(List<TensorSpec> outputs, Slot slot, int index, int first, int size) {
    DeviceOutputs produced = Objects.requireNonNull(slot.produced());
    TensorSpec spec = outputs.get(index);
    Shape whole = produced.shape(index);
    long bytes = bytes(spec, whole);
    long offset = offset(outputs, produced, index);
    if (slot.requests.size() > 1) {
      long itemBytes = bytes / slot.items;
      offset += first * itemBytes;
      bytes = size * itemBytes;
      whole = whole.withFirst(size);
    }
    return Tensor.ofLease(
        spec.name(),
        spec.type(),
        whole,
        Objects.requireNonNull(slot.outputs).share(),
        Math.toIntExact(offset),
        Math.toIntExact(bytes));
  }

  private static long offset(List<TensorSpec> outputs, DeviceOutputs produced, int index) {
    long at = 0;
    for (int o = 0; o < index; o++) {
      at = DeviceLayout.aligned(Math.addExact(at, bytes(outputs.get(o), produced.shape(o))));
    }
    return at;
  }

  private static long bytes(TensorSpec spec, Shape shape) {
    return Math.multiplyExact(shape.elements(), spec.type().sizeBytes());
  }
}
