package dev.conveyor.models.device.sim;

import dev.conveyor.memory.cuda.sim.TestKernel;
import dev.conveyor.models.device.DeviceBatch;
import dev.conveyor.models.device.DeviceEngine;

/** Enqueues the test kernel. Not thread-safe. */
final class SimulatedEngine implements DeviceEngine {

  private final SimulatedModel model;
  private boolean closed;

  SimulatedEngine(SimulatedModel model) {
    this.model = model;
  }

  @Override
  public void enqueue(int items, DeviceBatch batch, long stream) {
    if (closed) {
      throw new IllegalStateException("the engine is closed");
    }
    TestKernel.launch(
        stream,
        items,
        batch.input(0),
        Integer.BYTES * (long) model.inWords(),
        batch.output(0),
        Integer.BYTES * (long) model.outWords(),
        model.computeNs());
  }

  @Override
  public boolean isCapturable() {
    return model.capturable();
  }

  @Override
  public void close() {
    closed = true;
  }
}
