package dev.conveyor.models.device;

import dev.conveyor.models.TensorSpec;
import java.util.List;

/**
 * A model's weights on one GPU, shared by its instances there. Thread-safe, but closed once, after
 * every engine.
 */
public interface DeviceModel extends AutoCloseable {

  /** Returns the inputs as the file declares them, full shapes, dynamic dimensions -1. */
  List<TensorSpec> inputs();

  /** Returns the outputs as the file declares them, full shapes, dynamic dimensions -1. */
  List<TensorSpec> outputs();

  /** Returns the bytes reserved in the device's ledger for the weights. */
  long reservedBytes();

  /**
   * Returns the device memory that an engine for such batches takes from its instance's pool, on
   * top of inputs and outputs: the pool is made so much larger. Bytes.
   */
  default long scratchBytes(DeviceLayout layout) {
    return 0;
  }

  /**
   * Returns whether its engines also take batches of which other dimensions than the first are
   * known only when they are there.
   */
  default boolean takesVaryingShapes() {
    return false;
  }

  /**
   * Creates what one instance enqueues with, such as an execution context. Called on the thread
   * that will submit the instance's first batches, with the device set.
   *
   * @throws dev.conveyor.memory.cuda.CudaException if the device has no room; nothing stays
   *     allocated
   */
  DeviceEngine newEngine(EngineSite site);

  @Override
  void close();
}
