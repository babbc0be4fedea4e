package dev.conveyor.models.device;

import dev.conveyor.models.Shape;
import java.util.List;

/**
 * Enqueues the computation of one model instance. Thread-confined: called by the thread that
 * submits batches, and closed by whoever closes the instance, but for {@link #cancel}.
 */
public interface DeviceEngine extends AutoCloseable {

  /**
   * Enqueues the computation of a batch and returns at once.
   *
   * @param items how many items of the batch are filled
   * @param batch where they are
   * @param stream the stream it must run on, or be waited for by
   * @throws dev.conveyor.memory.cuda.CudaException if it cannot be enqueued. Whatever was enqueued
   *     all the same is waited for by {@code stream}
   * @throws dev.conveyor.models.backend.ExecutionException likewise, if it is known of which kind
   */
  void enqueue(int items, DeviceBatch batch, long stream);

  /**
   * The same, of a batch whose dimensions are known only now; for models that {@link
   * DeviceModel#takesVaryingShapes}. It is never captured.
   *
   * @param inputs the shape of each input of the whole batch, in the model's order
   * @param batch where the inputs are; it has no outputs
   * @return where the outputs will be when the stream gets there
   */
  default DeviceOutputs enqueue(List<Shape> inputs, DeviceBatch batch, long stream) {
    throw new UnsupportedOperationException("only batches of fixed dimensions");
  }

  /**
   * Returns whether {@link #enqueue} only enqueues kernels and copies that are the same every time
   * for the same number of items in the same place, so that it may be captured once in a CUDA graph
   * and replayed from then on without being called. It is captured right after it was enqueued for
   * as many items. The answer may become true later, and then stays true.
   */
  default boolean isCapturable() {
    return false;
  }

  /**
   * Ends an {@link #enqueue} that is under way, as soon as it can and if it can; it then fails, and
   * so do later ones. From any thread, also when it is closed.
   */
  default void cancel() {}

  /** Releases what it holds. Nothing it enqueued is still running. */
  @Override
  void close();
}
