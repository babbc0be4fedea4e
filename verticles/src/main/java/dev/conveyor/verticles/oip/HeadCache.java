package dev.conveyor.verticles.oip;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Remembers parsed JSON heads. A client that sends tensors as binary data sends the same head again
 * and again, byte for byte, and comparing 150 bytes costs a twentieth of parsing them.
 *
 * <p>Thread-confined: one event loop. Bounded: a fixed number of slots, found by hash, the newcomer
 * wins. Heads that carry data or an id of their own are not worth a slot.
 */
final class HeadCache {

  private static final int SLOTS = 256;
  private static final int MAX_HEAD_BYTES = 1024;

  /** One input whose bytes follow the head. */
  record BinaryInput(String name, DataType type, Shape shape, int bytes) {}

  /** A head and what it says; the array is this slot's own. */
  private static final class Slot {
    private final byte[] head;
    private final List<BinaryInput> inputs;
    private final InferHead parsed;

    Slot(byte[] head, List<BinaryInput> inputs, InferHead parsed) {
      this.head = head;
      this.inputs = inputs;
      this.parsed = parsed;
    }
  }

  private final @Nullable Slot[] slots = new Slot[SLOTS];

  /** Returns the request with this head and these bytes behind it, or null if it is not known. */
  @Nullable InferHead find(byte[] bytes, int offset, int length, BinaryData binary) {
    if (length > MAX_HEAD_BYTES) {
      return null;
    }
    Slot slot = slots[index(bytes, offset, length)];
    if (slot == null
        || !Arrays.equals(slot.head, 0, slot.head.length, bytes, offset, offset + length)) {
      return null;
    }
    List<Tensor> inputs = new ArrayList<>(slot.inputs.size());
    for (int i = 0; i < slot.inputs.size(); i++) {
      BinaryInput input = slot.inputs.get(i);
      inputs.add(binary.take(input.name, input.type, input.shape, input.bytes));
    }
    binary.requireConsumed();
    return slot.parsed.withInputs(inputs);
  }

  /** Remembers a head all of whose inputs are binary. */
  void put(byte[] bytes, int offset, int length, InferHead parsed) {
    if (length > MAX_HEAD_BYTES || parsed.id() != null) {
      return;
    }
    List<BinaryInput> inputs = new ArrayList<>();
    for (Tensor tensor : parsed.inputs()) {
      inputs.add(new BinaryInput(tensor.name(), tensor.type(), tensor.shape(), tensor.sizeBytes()));
    }
    slots[index(bytes, offset, length)] =
        new Slot(
            Arrays.copyOfRange(bytes, offset, offset + length),
            inputs,
            // Without the tensors: they belong to the request.
            parsed.withInputs(List.of()));
  }

  private static int index(byte[] bytes, int offset, int length) {
    int hash = length;
    for (int i = offset; i < offset + length; i++) {
      hash = 31 * hash + bytes[i];
    }
    return (hash ^ (hash >>> 16)) & (SLOTS - 1);
  }
}
