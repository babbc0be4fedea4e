package dev.conveyor.models.onnx;

import dev.conveyor.models.Shape;
import dev.conveyor.models.device.DeviceBatch;
import dev.conveyor.models.device.DeviceOutputs;
import java.util.List;

/** Binds batches of one engine to its session. Thread-confined, as that. */
interface Binder extends AutoCloseable {

  /** A batch of varying dimensions, whose outputs are there once it was run. */
  interface VaryingBoundRun extends BoundRun, DeviceOutputs {
    @Override
    void close();
  }

  /** Binds the slab of one slot for one batch size. */
  BoundRun fixed(int items, DeviceBatch batch);

  /**
   * Binds inputs whose shapes are known only now; the session takes the memory for the outputs.
   *
   * @param inputs shapes of the whole batch
   */
  VaryingBoundRun varying(List<Shape> inputs, DeviceBatch batch);

  @Override
  void close();
}
