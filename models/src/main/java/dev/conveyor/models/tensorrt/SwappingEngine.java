package dev.conveyor.models.tensorrt;

import dev.conveyor.memory.BudgetExceededException;
import dev.conveyor.memory.cuda.CudaException;
import dev.conveyor.models.Shape;
import dev.conveyor.models.backend.ModelLoadException;
import dev.conveyor.models.device.DeviceBatch;
import dev.conveyor.models.device.DeviceEngine;
import dev.conveyor.models.device.DeviceModel;
import dev.conveyor.models.device.DeviceOutputs;
import dev.conveyor.models.device.EngineSite;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Enqueues with the engine that there is, and with the better one as soon as that can be had.
 *
 * <p>Thread-confined, as every engine. The old one is closed only when nothing of it runs any more:
 * a pipeline has at most {@link #MOST_IN_FLIGHT} batches in flight, so when that many have been
 * enqueued after the last of the old engine's, that one is over.
 */
final class SwappingEngine implements DeviceEngine {

  /** More than any pipeline has slots. */
  static final int MOST_IN_FLIGHT = 8;

  private static final Logger log = LoggerFactory.getLogger(SwappingEngine.class);

  private final SwappingModel model;
  private final EngineSite site;
  private volatile DeviceEngine now;
  private @Nullable DeviceEngine retired;
  private boolean settled;
  private int sinceSwap;

  SwappingEngine(SwappingModel model, DeviceEngine first, EngineSite site) {
    this.model = model;
    this.now = first;
    this.site = site;
  }

  @Override
  public void enqueue(int items, DeviceBatch batch, long stream) {
    settle();
    now.enqueue(items, batch, stream);
    retire();
  }

  @Override
  public DeviceOutputs enqueue(List<Shape> inputs, DeviceBatch batch, long stream) {
    settle();
    DeviceOutputs outputs = now.enqueue(inputs, batch, stream);
    retire();
    return outputs;
  }

  private void settle() {
    DeviceModel better = settled ? null : model.better();
    if (better != null) {
      swap(better);
    }
  }

  @Override
  public void cancel() {
    now.cancel();
  }

  /** Not before the old one is closed: that takes calls of this, which graphs do without. */
  @Override
  public boolean isCapturable() {
    return settled && retired == null && now.isCapturable();
  }

  private void swap(DeviceModel better) {
    settled = true;
    try {
      DeviceEngine engine = better.newEngine(site);
      retired = now;
      now = engine;
    } catch (CudaException e) {
      if (e.isSticky()) {
        throw e;
      }
      log.warn("stays with what serves, no room for the engine: {}", e.getMessage());
    } catch (BudgetExceededException | ModelLoadException e) {
      log.warn("stays with what serves, no room for the engine: {}", e.getMessage());
    }
  }

  private void retire() {
    DeviceEngine old = retired;
    if (old != null && ++sinceSwap > MOST_IN_FLIGHT) {
      retired = null;
      old.close();
    }
  }

  @Override
  public void close() {
    DeviceEngine old = retired;
    retired = null;
    try {
      if (old != null) {
        old.close();
      }
    } finally {
      now.close();
    }
  }
}
