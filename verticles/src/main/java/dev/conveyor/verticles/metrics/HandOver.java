package dev.conveyor.verticles.metrics;

import dev.conveyor.models.Tensor;
import java.util.concurrent.atomic.LongAdder;

/**
 * Counts the bytes that go from one step to the next, and how many of them lie elsewhere
 * afterwards. Thread-safe.
 */
public final class HandOver {

  private final LongAdder handedOn = new LongAdder();
  private final LongAdder onDevice = new LongAdder();
  private final LongAdder copied = new LongAdder();

  /**
   * What a step gave has reached the next.
   *
   * @param given as the step gave it; it may be closed
   * @param received as a model's batch, or a step, gets it
   */
  public void count(Tensor given, Tensor received) {
    handedOn.add(received.sizeBytes());
    if (received.isOnDevice()) {
      onDevice.add(received.sizeBytes());
    }
    if (!received.isInPlaceOf(given)) {
      copied.add(received.sizeBytes());
    }
  }

  /** What items gave is put together in one place, to go to the next step. */
  public void countJoin(int bytes) {
    copied.add(bytes);
  }

  /** Returns the bytes that steps got from steps. */
  public long handedOnBytes() {
    return handedOn.sum();
  }

  /** Returns how many of these lay on a device, where the step before had computed them. */
  public long onDeviceBytes() {
    return onDevice.sum();
  }

  /** Returns how many of these were copied on the way. */
  public long copiedBytes() {
    return copied.sum();
  }
}
