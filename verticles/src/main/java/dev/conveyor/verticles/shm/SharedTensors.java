package dev.conveyor.verticles.shm;

import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.Lease;
import dev.conveyor.memory.PoolShare;
import dev.conveyor.models.DataType;
import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.RefusalReason;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The tensors of one request that are in shared memory: inputs are copied into memory of requests
 * before it goes into the line, so that what the client writes later changes nothing; outputs are
 * copied to the client before it is answered.
 *
 * <p>Not thread-safe: owned by the event loop of the request, and lent to a worker until a future
 * of {@link #read} or {@link #write} completes; neither this nor the tensors may be closed before.
 * The owner closes it when the request is answered, however that ends. Most requests have nothing
 * here, and pay for one small object.
 */
public final class SharedTensors implements AutoCloseable {

  /** As long as this takes to copy, an event loop can do without its other requests. */
  private static final long INLINE_BYTES = 1 << 20;

  /** Smaller inputs are not worth a lease, if there are few of them. */
  private static final int LEASE_FROM_BYTES = 16 * 1024;

  private static final int MOST_WITHOUT_LEASE = 16;

  private static final Future<Void> DONE = Future.succeededFuture();

  /** An input that was promised and is not there yet. */
  private record Input(RegionSlice source, ByteBuffer target, Tensor tensor) {}

  private final SharedMemoryRegions regions;
  private final BufferPool memory;
  private final String model;
  private final int maxBytes;
  private List<Input> inputs = List.of();
  private Map<String, RegionSlice> outputs = Map.of();
  private long inputBytes;

  SharedTensors(SharedMemoryRegions regions, BufferPool memory, String model, int maxBytes) {
    this.regions = regions;
    this.memory = memory;
    this.model = model;
    this.maxBytes = maxBytes;
  }

  /**
   * Returns an input whose bytes are there after {@link #read}. The caller owns it.
   *
   * @throws InferenceException if there is no such region or no memory for the bytes
   */
  public Tensor input(String name, DataType type, Shape shape, RegionRef ref) {
    RegionSlice source = regions.slice(ref);
    try {
      if (ref.byteSize() > maxBytes - inputBytes) {
        throw new InferenceException(
            ErrorCode.TOO_LARGE,
            "input '%s': %d bytes in shared memory, after %d of the same request; at most %d"
                .formatted(name, ref.byteSize(), inputBytes, maxBytes));
      }
      Input input = input(name, type, shape, source, (int) ref.byteSize());
      if (inputs.isEmpty()) {
        inputs = new ArrayList<>(2);
      }
      inputs.add(input);
      inputBytes += ref.byteSize();
      return input.tensor();
    } catch (RuntimeException e) {
      source.close();
      throw e;
    }
  }

  /**
   * Has an output written to a region.
   *
   * @throws InferenceException if there is no such region
   */
  public void output(String name, RegionRef ref) {
    RegionSlice target = regions.slice(ref);
    if (outputs.isEmpty()) {
      outputs = new HashMap<>();
    }
    RegionSlice before = outputs.put(name, target);
    if (before != null) {
      before.close();
    }
  }

  /**
   * Fills the inputs, here if that is soon done, else on a worker.
   *
   * @return failed with INVALID_REQUEST if a region has become too short
   */
  public Future<Void> read(Vertx vertx) {
    return inputs.isEmpty() ? DONE : run(vertx, inputBytes, this::readNow);
  }

  /**
   * Writes the outputs that belong into regions, here if that is soon done, else on a worker.
   *
   * @param answers every output of the model, which stay the caller's
   * @return failed with INVALID_REQUEST if one does not fit, or its region has become too short
   */
  public Future<Void> write(Vertx vertx, List<Tensor> answers) {
    if (outputs.isEmpty()) {
      return DONE;
    }
    long bytes = 0;
    for (Tensor answer : answers) {
      RegionSlice target = outputs.get(answer.name());
      if (target != null) {
        bytes += answer.sizeBytes();
        if (answer.sizeBytes() > target.ref().byteSize()) {
          return Future.failedFuture(tooSmall(answer, target));
        }
      }
    }
    return run(vertx, bytes, () -> writeNow(answers));
  }

  /** Closes the inputs too: the request does not come about. */
  public void discard() {
    inputs.forEach(input -> input.tensor().close());
    close();
  }

  /** Lets go of the regions. Closing twice is harmless. */
  @Override
  public void close() {
    inputs.forEach(input -> input.source().close());
    outputs.values().forEach(RegionSlice::close);
    inputs = List.of();
    outputs = Map.of();
  }

  private Input input(String name, DataType type, Shape shape, RegionSlice source, int bytes) {
    if (bytes == 0 || (bytes < LEASE_FROM_BYTES && inputs.size() < MOST_WITHOUT_LEASE)) {
      ByteBuffer heap = ByteBuffer.allocate(bytes);
      return new Input(source, heap, Tensor.of(name, type, shape, heap));
    }
    PoolShare share = memory.shareOf(model);
    if (share.isFull()) {
      throw noMemory(bytes);
    }
    Lease lease = share.tryAcquire(bytes).orElseThrow(() -> noMemory(bytes));
    return new Input(
        source, lease.buffer().duplicate(), Tensor.ofLease(name, type, shape, lease, 0, bytes));
  }

  private void readNow() {
    inputs.forEach(input -> input.source().read(input.target()));
  }

  private void writeNow(List<Tensor> answers) {
    for (Tensor answer : answers) {
      RegionSlice target = outputs.get(answer.name());
      if (target != null) {
        target.write(answer.data().duplicate());
      }
    }
  }

  private static Future<Void> run(Vertx vertx, long bytes, Runnable copy) {
    if (bytes > INLINE_BYTES) {
      return vertx
          .executeBlocking(
              () -> {
                copy.run();
                return true;
              },
              false)
          .mapEmpty();
    }
    try {
      copy.run();
      return DONE;
    } catch (Throwable e) { // out of memory, too: somebody waits for an answer
      return Future.failedFuture(e);
    }
  }

  private InferenceException noMemory(long bytes) {
    return new InferenceException(
        ErrorCode.QUEUE_FULL,
        "no memory for an input of %d bytes: %d of %d bytes for requests are in use"
            .formatted(bytes, memory.leasedBytes(), memory.maxBytes()),
        RefusalReason.REQUEST_MEMORY,
        InferenceException.UNKNOWN);
  }

  private static InferenceException tooSmall(Tensor answer, RegionSlice target) {
    return InferenceException.invalid(
        "shared memory size specified with the request for output '%s' (%d bytes) should be at least %d bytes to hold the results"
            .formatted(answer.name(), target.ref().byteSize(), answer.sizeBytes()));
  }
}
