package dev.conveyor.models.device;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.backend.BatchRequest;
import java.util.ArrayList;
import java.util.List;

/**
 * Where the tensors of one batch lie: inputs and outputs behind each other in one slab of the
 * device, with room for the largest batch, and the outputs of as many items as there are behind
 * each other in one block of the host. Immutable.
 *
 * <p>Where a dimension besides the batch varies, no size is known beforehand, and all are 0: each
 * batch then has a layout of its own, of its inputs ({@link #ofInputs}), and an engine says where
 * the outputs are ({@link DeviceOutputs}).
 */
public final class DeviceLayout {

  /** What vector loads, and the memory of devices, are happiest with. */
  private static final long ALIGNMENT_BYTES = 256;

  private final List<TensorSpec> inputs;
  private final List<TensorSpec> outputs;
  private final int maxItems;
  private final boolean batches;
  private final boolean fixed;
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
   * @throws IllegalArgumentException if there are strings, which no device computes with
   */
  public DeviceLayout(List<TensorSpec> inputs, List<TensorSpec> outputs, int maxBatchSize) {
    this.inputs = List.copyOf(inputs);
    this.outputs = List.copyOf(outputs);
    this.maxItems = Math.max(1, maxBatchSize);
    this.batches = maxBatchSize > 0;
    this.fixed = areFixed(inputs) && areFixed(outputs);
    this.inputItemBytes = itemBytes(inputs);
    this.outputItemBytes = itemBytes(outputs);
    this.inputOffsets = new long[inputs.size()];
    this.outputOffsets = new long[outputs.size()];
    this.inputBytes = offsets(inputItemBytes, inputOffsets);
    this.outputBytes = offsets(outputItemBytes, outputOffsets);
    this.outputShapes = new Shape[fixed ? outputs.size() : 0][maxItems + 1];
    for (int o = 0; o < outputShapes.length; o++) {
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

  static long aligned(long bytes) {
    return (bytes + ALIGNMENT_BYTES - 1) / ALIGNMENT_BYTES * ALIGNMENT_BYTES;
  }

  private boolean areFixed(List<TensorSpec> specs) {
    for (TensorSpec spec : specs) {
      if (spec.type() == DataType.BYTES) {
        throw new IllegalArgumentException(
            "'%s' (%s%s): on a device there are no strings"
                .formatted(spec.name(), spec.type(), spec.shape()));
      }
    }
    return specs.stream().allMatch(spec -> item(spec.shape()).isStatic());
  }

  private Shape item(Shape shape) {
    return batches && shape.rank() > 0 ? shape.withoutFirst() : shape;
  }

  private long[] itemBytes(List<TensorSpec> specs) {
    long[] bytes = new long[specs.size()];
    for (int i = 0; fixed && i < bytes.length; i++) {
      TensorSpec spec = specs.get(i);
      bytes[i] = Math.multiplyExact(item(spec.shape()).elements(), spec.type().sizeBytes());
    }
    return bytes;
  }

  /** Returns whether every dimension but the batch is fixed, so that sizes are known. */
  public boolean isFixed() {
    return fixed;
  }

  /**
   * Returns where the inputs of one batch lie, for shapes that vary; it has no outputs.
   *
   * @throws IllegalStateException if the requests differ in other dimensions than the first
   */
  DeviceLayout ofInputs(List<? extends BatchRequest> requests, int items) {
    List<TensorSpec> found = new ArrayList<>(inputs.size());
    for (int i = 0; i < inputs.size(); i++) {
      TensorSpec spec = inputs.get(i);
      Shape shape = requests.get(0).inputs().get(i).shape();
      for (BatchRequest request : requests) {
        Shape other = request.inputs().get(i).shape();
        if (!item(other).equals(item(shape))) {
          throw new IllegalStateException(
              "input '%s' has shapes %s and %s in one batch".formatted(spec.name(), shape, other));
        }
      }
      found.add(new TensorSpec(spec.name(), spec.type(), shape));
    }
    return new DeviceLayout(found, List.of(), batches ? items : 0);
  }

  /** Returns the shapes of the inputs of a whole batch of fixed dimensions. */
  List<Shape> inputShapes(int items) {
    return inputs.stream()
        .map(input -> input.shape())
        .map(shape -> batches && shape.rank() > 0 ? shape.withFirst(items) : shape)
        .toList();
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
