package dev.conveyor.models.process;

import dev.conveyor.models.BytesTensors;
import dev.conveyor.models.DataType;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.backend.BatchRequest;
import dev.conveyor.models.backend.ExecutionException;
import dev.conveyor.models.backend.Slices;
import dev.conveyor.models.process.wire.Message;
import dev.conveyor.models.process.wire.ProtocolException;
import dev.conveyor.models.process.wire.TensorBlock;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/**
 * Takes a worker's outputs out of shared memory and gives each request its part. Thread-safe: no
 * state.
 *
 * <p>The worker may write there at any time. So places and sizes are checked as numbers received,
 * and what is looked into (the lengths of strings) is looked into after it was copied.
 */
final class OutputReader {

  private final List<TensorSpec> specs;
  private final boolean batches;

  OutputReader(List<TensorSpec> specs, boolean batches) {
    this.specs = specs;
    this.batches = batches;
  }

  /**
   * Reads the outputs.
   *
   * @throws ProtocolException if they contradict themselves
   * @throws ExecutionException if they cannot be divided among the requests
   */
  List<List<Tensor>> read(
      Message answer, ByteBuffer slab, List<? extends BatchRequest> requests, int items)
      throws IOException {
    int count = answer.readCount();
    if (count != specs.size()) {
      throw new ProtocolException(count + " outputs of " + specs.size());
    }
    List<List<Tensor>> answers = new ArrayList<>(requests.size());
    for (int r = 0; r < requests.size(); r++) {
      answers.add(new ArrayList<>(count));
    }
    for (TensorSpec spec : specs) {
      TensorBlock block = answer.readBlock(slab.capacity());
      boolean whole = isWhole(spec, block.shape(), requests.size(), items);
      ByteBuffer copy = copy(spec, block, slab);
      if (whole) {
        answers.get(0).add(Tensor.of(spec.name(), spec.type(), block.shape(), copy));
      } else {
        split(spec, block.shape(), copy, requests, items, answers);
      }
    }
    return answers;
  }

  private static ByteBuffer copy(TensorSpec spec, TensorBlock block, ByteBuffer slab)
      throws IOException {
    int size = spec.type().sizeBytes();
    if (size > 0
        && (block.bytes() % size != 0 || elements(block.shape()) != block.bytes() / size)) {
      throw new ProtocolException(
          "output '%s' of shape %s in %d bytes"
              .formatted(spec.name(), block.shape(), block.bytes()));
    }
    ByteBuffer copy =
        Slices.copyOf(slab, block.offset(), block.bytes()).order(ByteOrder.LITTLE_ENDIAN);
    if (size == 0) {
      try {
        int unused = BytesTensors.count(Tensor.of(spec.name(), spec.type(), block.shape(), copy));
      } catch (InferenceException e) {
        throw new ProtocolException("output '" + spec.name() + "': " + e.getMessage());
      }
    }
    return copy;
  }

  private static void split(
      TensorSpec spec,
      Shape whole,
      ByteBuffer copy,
      List<? extends BatchRequest> requests,
      int items,
      List<List<Tensor>> answers) {
    int start = 0;
    for (int r = 0; r < requests.size(); r++) {
      int size = requests.get(r).batchSize();
      int end = start + partBytes(spec, whole, copy, start, size, items);
      answers
          .get(r)
          .add(
              Tensor.of(
                  spec.name(), spec.type(), whole.withFirst(size), copy.slice(start, end - start)));
      start = end;
    }
  }

  private static int partBytes(
      TensorSpec spec, Shape whole, ByteBuffer copy, int start, int size, int items) {
    if (spec.type() != DataType.BYTES) {
      return copy.limit() / items * size;
    }
    long elements = whole.elements() / items * size;
    int end = start;
    for (long i = 0; i < elements; i++) {
      end += Integer.BYTES + copy.getInt(end);
    }
    return end - start;
  }

  /** Returns whether an output goes to its only request as it is, as it does in-process. */
  private boolean isWhole(TensorSpec spec, Shape found, int requests, int items) {
    if (!batches || requests == 1) {
      return true;
    }
    if (found.rank() == 0 || found.dim(0) != items) {
      throw new ExecutionException(
          ExecutionException.Kind.RUN,
          "output '%s' has shape %s for a batch of %d: its first dimension is not the batch"
              .formatted(spec.name(), found, items));
    }
    return false;
  }

  private static long elements(Shape shape) throws IOException {
    try {
      return shape.elements();
    } catch (ArithmeticException e) {
      throw new ProtocolException("a tensor of shape " + shape);
    }
  }
}
