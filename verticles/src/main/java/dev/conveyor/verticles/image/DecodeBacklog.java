package dev.conveyor.verticles.image;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.conveyor.scheduler.admission.AdmissionRule.Preparation;
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

  /** Of all models: requests that wait, each as long as those of its model took lately. */
  @GuardedBy("this")
  private long pendingNs;

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

    @GuardedBy("DecodeBacklog.this")
    private int waiting;

    @GuardedBy("DecodeBacklog.this")
    private long meanNs;

    /** A request waits. */
    void enter() {
      synchronized (DecodeBacklog.this) {
        waiting++;
        pendingNs += meanNs;
      }
    }

    /** A request waits no more, whatever became of it. */
    void leave() {
      synchronized (DecodeBacklog.this) {
        waiting--;
        pendingNs -= meanNs;
      }
    }

    /** Takes note of how long the images of a request took. */
    void took(long ns) {
      synchronized (DecodeBacklog.this) {
        long before = meanNs;
        meanNs = before == 0 ? ns : before + (ns - before) / WEIGHT;
        pendingNs += waiting * (meanNs - before);
      }
    }

    /**
     * Returns {@link dev.conveyor.verticles.ImageInputs#ahead}. The model's own time counts only
     * while another of its requests waits: a mean that keeps out everything could not be corrected.
     */
    Preparation ahead() {
      synchronized (DecodeBacklog.this) {
        long ns = pendingNs / workers.getAsInt() + (waiting == 0 ? 0 : meanNs);
        return ns == 0 ? Preparation.NONE : new Preparation(waiting, ns);
      }
    }

    /** Returns {@link dev.conveyor.verticles.ImageInputs#work}; asked by one that waits. */
    Preparation work() {
      synchronized (DecodeBacklog.this) {
        return waiting <= 1 || meanNs == 0 ? Preparation.NONE : new Preparation(0, meanNs);
      }
    }
  }
}
