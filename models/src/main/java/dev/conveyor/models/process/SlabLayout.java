package dev.conveyor.models.process;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.backend.BatchRequest;
import dev.conveyor.models.backend.Slices;
import java.util.List;

/**
 * Where the tensors of a batch lie in a slab: inputs one behind the other, then room for the
 * outputs. Not thread-safe: owned by one executor.
 */
final class SlabLayout {

  /** What vector instructions and cache lines want. */
  private static final long ALIGNMENT_BYTES = 64;

  /** For a tensor whose size is not known beforehand; the slab grows when it is too little. */
  private static final long GUESS_BYTES = 64 * 1024;

  private final List<TensorSpec> inputSpecs;
  private final List<TensorSpec> outputSpecs;
  private final boolean batches;
  private final long[] offsets;
  private final long[] sizes;

  SlabLayout(List<TensorSpec> inputs, List<TensorSpec> outputs, boolean batches) {
    this.inputSpecs = inputs;
    this.outputSpecs = outputs;
    this.batches = batches;
    this.offsets = new long[inputs.size()];
    this.sizes = new long[inputs.size()];
  }

  /** Returns the bytes that a batch of this many items takes, as far as shapes are fixed. */
  long bytesFor(int items) {
    return bytesFor(inputSpecs, items) + outputBytesFor(items);
  }

  long outputBytesFor(int items) {
    return bytesFor(outputSpecs, items);
  }

  /** Decides where the inputs of a batch go; returns where the outputs begin. */
  long place(List<? extends BatchRequest> requests) {
    long next = 0;
    for (int i = 0; i < offsets.length; i++) {
      offsets[i] = next;
      sizes[i] = Slices.gatheredBytes(requests, i);
      next = aligned(next + sizes[i]);
    }
    return next;
  }

  int inputs() {
    return offsets.length;
  }

  long offset(int input) {
    return offsets[input];
  }

  long bytes(int input) {
    return sizes[input];
  }

  /** Returns the next place at which a tensor may begin. */
  static long aligned(long offset) {
    return (offset + ALIGNMENT_BYTES - 1) & -ALIGNMENT_BYTES;
  }

  private long bytesFor(List<TensorSpec> specs, int items) {
    long bytes = 0;
    for (TensorSpec spec : specs) {
      Shape item = batches && spec.shape().rank() > 0 ? spec.shape().withoutFirst() : spec.shape();
      bytes +=
          spec.type() == DataType.BYTES || !item.isStatic()
              ? GUESS_BYTES
              : Math.multiplyExact(item.elements() * spec.type().sizeBytes(), (long) items);
      bytes = aligned(bytes);
    }
    return bytes;
  }
}
