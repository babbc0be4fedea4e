package dev.conveyor.models.device;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.TensorSpec;
import java.util.List;

/**
 * Where the tensors of one batch lie: inputs and outputs behind each other in one slab of the
 * device, with room for the largest batch, and the outputs of as many items as there are behind
 * each other in one block of the host. Immutable.
 *
 * <p>Sizes are known beforehand, because every dimension but the first is: models with other
 * dynamic dimensions cannot run so.
 */
public final class DeviceLayout {

  /** What vector loads, and the memory of devices, are happiest with. */
  private static final long ALIGNMENT_BYTES = 256;

  private final List<TensorSpec> inputs;
  private final List<TensorSpec> outputs;
  private final int maxItems;
  private final long[] inputItemBytes;
  private final long[] outputItemBytes;
  private final long[] inputOffsets;
  private final long[] outputOffsets;
  private final long inputBytes;
  private final long outputBytes;
  private final Shape[][] outputShapes;

  /**
   * Lays out the batches of a model.
   *
   * @param maxBatchSize largest batch; 0 if the model does not batch
   * @throws IllegalArgumentException if the size of a tensor is not known beforehand
   */
  public DeviceLayout(List<TensorSpec> inputs, List<TensorSpec> outputs, int maxBatchSize) {
    this.inputs = List.copyOf(inputs);
    this.outputs = List.copyOf(outputs);
    this.maxItems = Math.max(1, maxBatchSize);
    boolean batches = maxBatchSize > 0;
    this.inputItemBytes = itemBytes(inputs, batches);
    this.outputItemBytes = itemBytes(outputs, batches);
    this.inputOffsets = new long[inputs.size()];
    this.outputOffsets = new long[outputs.size()];
    this.inputBytes = offsets(inputItemBytes, inputOffsets);
    this.outputBytes = offsets(outputItemBytes, outputOffsets);
    this.outputShapes = new Shape[outputs.size()][maxItems + 1];
    for (int o = 0; o < outputs.size(); o++) {
      Shape shape = outputs.get(o).shape();
      for (int size = 1; size <= maxItems; size++) {
        outputShapes[o][size] = batches ? shape.withFirst(size) : shape;
      }
    }
  }

  private long offsets(long[] itemBytes, long[] offsets) {
    long at = 0;
    for (int i = 0; i < itemBytes.length; i++) {
      offsets[i] = at;
      at = aligned(Math.addExact(at, Math.multiplyExact(itemBytes[i], (long) maxItems)));
    }
    return at;
  }

  private static long aligned(long bytes) {
    return (bytes + ALIGNMENT_BYTES - 1) / ALIGNMENT_BYTES * ALIGNMENT_BYTES;
  }

  private static long[] itemBytes(List<TensorSpec> specs, boolean batches) {
    long[] bytes = new long[specs.size()];
    for (int i = 0; i < bytes.length; i++) {
      TensorSpec spec = specs.get(i);
      Shape item = batches && spec.shape().rank() > 0 ? spec.shape().withoutFirst() : spec.shape();
      if (spec.type() == DataType.BYTES || !item.isStatic()) {
        throw new IllegalArgumentException(
            "'%s' (%s%s): on a device every dimension but the batch is fixed, and there are no strings"
                .formatted(spec.name(), spec.type(), spec.shape()));
      }
      bytes[i] = Math.multiplyExact(item.elements(), spec.type().sizeBytes());
    }
    return bytes;
  }

  public List<TensorSpec> inputs() {
    return inputs;
  }

  public List<TensorSpec> outputs() {
    return outputs;
  }

  /** Returns the largest batch; 1 if the model does not batch. */
  public int maxItems() {
    return maxItems;
  }

  /** Returns the bytes of the slab of one batch. */
  public long slabBytes() {
    return inputBytes + outputBytes;
  }

  /** Returns the bytes of all inputs of the largest batch. */
  public long inputBytes() {
    return inputBytes;
  }

  /** Returns the bytes of all outputs of the largest batch. */
  public long outputBytes() {
    return outputBytes;
  }

  /** Returns the bytes of all outputs of a batch of so many items on the host. */
  long hostBytes(int items) {
    return hostOffset(outputs.size(), items);
  }

  /** Returns where an output of a batch of so many items begins on the host. */
  long hostOffset(int index, int items) {
    long at = 0;
    for (int o = 0; o < index; o++) {
      at = aligned(at + outputItemBytes[o] * items);
    }
    return at;
  }

  public long inputItemBytes(int index) {
    return inputItemBytes[index];
  }

  public long outputItemBytes(int index) {
    return outputItemBytes[index];
  }

  /** Returns where an input begins, in the slab and among the inputs. */
  public long inputOffset(int index) {
    return inputOffsets[index];
  }

  /** Returns where an output begins among the outputs, which follow the inputs in the slab. */
  public long outputOffset(int index) {
    return outputOffsets[index];
  }

  /** Returns the shape of an output of a request of {@code size} items. */
  Shape outputShape(int index, int size) {
    return outputShapes[index][size];
  }
}
