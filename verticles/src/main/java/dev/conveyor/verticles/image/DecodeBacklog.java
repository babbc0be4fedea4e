package dev.conveyor.verticles.image;

import dev.conveyor.scheduler.admission.AdmissionRule.Preparation;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.IntSupplier;

/**
 * How long images wait until they are decoded, from what waits and what decoding took lately.
 * Without it a front door would see an idle model behind a thousand images, and every one of them
 * would be decoded too late.
 *
 * <p>Thread-safe. Reads no clock.
 */
final class DecodeBacklog {

  private final IntSupplier workers;
  private final AtomicLong requests = new AtomicLong();
  private final AtomicLong pendingNs = new AtomicLong();

  /**
   * Creates an empty one.
   *
   * @param workers how many requests are decoded at a time now
   */
  DecodeBacklog(IntSupplier workers) {
    this.workers = workers;
  }

  /** The requests of one model, whose images are alike. Thread-safe. */
  final class OfModel {

    /** Of the exponentially weighted mean. */
    private static final int WEIGHT = 8;

    private final AtomicLong meanNs = new AtomicLong();
    private final AtomicInteger own = new AtomicInteger();

    /** A request waits; returns what to give {@link #leave}. */
    long enter() {
      long expectedNs = meanNs.get();
      own.incrementAndGet();
      requests.incrementAndGet();
      pendingNs.addAndGet(expectedNs);
      return expectedNs;
    }

    /** A request waits no more, whatever became of it. */
    void leave(long expectedNs) {
      own.decrementAndGet();
      requests.decrementAndGet();
      pendingNs.addAndGet(-expectedNs);
    }

    /** Takes note of how long the images of a request took. */
    void took(long ns) {
      meanNs.updateAndGet(mean -> mean == 0 ? ns : mean + (ns - mean) / WEIGHT);
    }

    /** Returns {@link dev.conveyor.verticles.ImageInputs#ahead}. */
    Preparation ahead() {
      return requests.get() == 0
          ? Preparation.NONE
          : new Preparation(own.get(), pendingNs.get() / workers.getAsInt() + meanNs.get());
    }

    /** Returns {@link dev.conveyor.verticles.ImageInputs#work}; asked by one that waits. */
    Preparation work() {
      return requests.get() <= 1 ? Preparation.NONE : new Preparation(0, meanNs.get());
    }
  }
}
