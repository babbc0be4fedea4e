package dev.conveyor.models.backend;

import dev.conveyor.models.Tensor;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * Copies between the tensors of requests and the contiguous memory of a batch.
 *
 * <p>Thread-safe: no state.
 */
public final class Slices {

  private Slices() {}

  /** Returns the bytes that input {@code index} takes over all requests. */
  public static long gatheredBytes(List<? extends BatchRequest> requests, int index) {
    long bytes = 0;
    for (int r = 0; r < requests.size(); r++) {
      bytes += requests.get(r).inputs().get(index).sizeBytes();
    }
    return bytes;
  }

  /** Copies input {@code index} of every request, one behind the other, to the start of target. */
  public static void gather(List<? extends BatchRequest> requests, int index, ByteBuffer target) {
    int offset = 0;
    for (int r = 0; r < requests.size(); r++) {
      Tensor tensor = requests.get(r).inputs().get(index);
      target.put(offset, tensor.data(), 0, tensor.sizeBytes());
      offset += tensor.sizeBytes();
    }
  }

  /** Returns a copy, on the heap, of {@code length} bytes from {@code offset}. */
  public static ByteBuffer copyOf(ByteBuffer source, int offset, int length) {
    byte[] bytes = new byte[length];
    source.get(offset, bytes);
    return ByteBuffer.wrap(bytes);
  }

  /** Returns the items of a batch: the sum of the batch sizes of its requests. */
  public static int items(List<? extends BatchRequest> requests) {
    int items = 0;
    for (int r = 0; r < requests.size(); r++) {
      items += requests.get(r).batchSize();
    }
    return items;
  }
}
