package dev.conveyor.models.device.sim;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.device.DeviceEngine;
import dev.conveyor.models.device.DeviceLayout;
import java.util.List;

/**
 * A model that the simulated device computes.
 *
 * @param inWords 32-bit words of the input of one item
 * @param outWords of its output
 * @param maxBatchSize largest batch
 * @param slots batches in flight
 * @param computeNs time of one batch on the device, whatever its size
 * @param capturable whether its computation may be captured in a graph
 */
public record SimulatedModel(
    int inWords, int outWords, int maxBatchSize, int slots, long computeNs, boolean capturable) {

  /** A model whose computation is enqueued call by call. */
  public SimulatedModel(int inWords, int outWords, int maxBatchSize, int slots, long computeNs) {
    this(inWords, outWords, maxBatchSize, slots, computeNs, false);
  }

  /** Returns where the tensors of its batches lie. */
  public DeviceLayout layout() {
    return new DeviceLayout(
        List.of(new TensorSpec("in", DataType.INT32, Shape.of(-1, inWords))),
        List.of(new TensorSpec("out", DataType.INT32, Shape.of(-1, outWords))),
        maxBatchSize);
  }

  /** Returns what enqueues its computation. */
  public DeviceEngine newEngine() {
    return new SimulatedEngine(this);
  }
}
