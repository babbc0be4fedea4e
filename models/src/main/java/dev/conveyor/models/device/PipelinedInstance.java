package dev.conveyor.models.device;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.CudaException;
import dev.conveyor.models.backend.BatchRequest;
import java.util.List;
import java.util.concurrent.Semaphore;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A {@link Pipeline} and the thread that waits for its batches.
 *
 * <p>{@link #submit} and {@link #close} belong to one thread; {@link #abandon} may be called from
 * any. While nothing is in flight the waiting thread sleeps; while something is, it sleeps in the
 * driver, or, if asked to, asks for the end without a pause: that saves the time to wake up and
 * costs a core.
 *
 * <p>Once it was abandoned, the thread waits for what runs all the same: for the device, and for
 * who submits. When both have come back everything is given back. If one never does, the thread
 * stays and so does the memory. What is given up only as it is closed, when that thread is gone,
 * has another one wait.
 */
public final class PipelinedInstance implements AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(PipelinedInstance.class);
  private static final long LOOK_EVERY_MS = 50;

  private final Pipeline pipeline;
  private final Cuda cuda;
  private final int device;
  private final boolean spins;
  private final Semaphore submitted = new Semaphore(0);
  private final Thread waiter;
  private final Runnable onReturned;
  private volatile boolean closing;

  @GuardedBy("this")
  private int submitting;

  /** Whether some thread waits, or has waited, for what was given up. */
  @GuardedBy("this")
  private boolean outwaited;

  @GuardedBy("this")
  private boolean waiterIsGone;

  /**
   * Starts the thread.
   *
   * @param name of the thread
   * @param pipeline owned by this from now on
   * @param spins whether waiting may use a core
   */
  public PipelinedInstance(String name, Cuda cuda, int device, Pipeline pipeline, boolean spins) {
    this(name, cuda, device, pipeline, spins, () -> {});
  }

  /**
   * As the other.
   *
   * @param onReturned called on that thread when everything was given back after all, of an
   *     instance that had been abandoned
   */
  PipelinedInstance(
      String name, Cuda cuda, int device, Pipeline pipeline, boolean spins, Runnable onReturned) {
    this.onReturned = onReturned;
    this.pipeline = pipeline;
    this.cuda = cuda;
    this.device = device;
    this.spins = spins;
    this.waiter = new Thread(this::run, name);
    waiter.setDaemon(true);
    waiter.start();
  }

  /** Returns how many more batches may be submitted now. */
  public int freeSlots() {
    return pipeline.freeSlots();
  }

  /** Enqueues a batch; see {@link Pipeline#submit}. */
  public void submit(List<? extends BatchRequest> requests) {
    enter();
    try {
      pipeline.submit(requests);
    } finally {
      leave();
    }
    submitted.release();
  }

  private synchronized void enter() {
    submitting++;
  }

  private synchronized void leave() {
    submitting--;
    notifyAll();
  }

  /** Whoever comes later is refused at once, since it is lost. */
  private synchronized void awaitSubmitters() throws InterruptedException {
    while (submitting > 0) {
      wait();
    }
  }

  /** Gives up on a device that does not finish; see {@link Pipeline#abandon}. */
  public void abandon(String why) {
    pipeline.abandon(why);
    closing = true; // After it is lost: from now on nobody may begin to submit.
    submitted.release();
  }

  private void run() {
    try {
      cuda.useDevice(device);
    } catch (RuntimeException e) {
      // Nobody would ever hear of a batch: so whoever submits one is told at once.
      String why = "the device cannot be used: " + e.getMessage();
      if (e instanceof CudaException failure && failure.isSticky()) {
        pipeline.lose(why);
      } else {
        pipeline.abandon(why);
        noteWaiterGone();
        return;
      }
    }
    for (submitted.acquireUninterruptibly(); !closing; submitted.acquireUninterruptibly()) {
      try {
        awaitOne();
      } catch (RuntimeException | Error e) {
        // The listener's, about a batch that has been told of: the next ones are still waited for.
        LOG.error("{}: told of a batch, the listener failed", waiter.getName(), e);
      }
    }
    if (outwaits()) {
      releaseAtLast();
    }
  }

  /** Whether the waiter, which has nothing else to do, is to wait for what was given up. */
  private synchronized boolean outwaits() {
    outwaited = pipeline.isAbandoned();
    waiterIsGone = true;
    return outwaited;
  }

  private synchronized void noteWaiterGone() {
    waiterIsGone = true;
  }

  /** Whether what was given up has nobody who waits for it; the caller sees to it then. */
  private synchronized boolean isForsaken() {
    boolean forsaken = pipeline.isAbandoned() && waiterIsGone && !outwaited;
    outwaited |= forsaken;
    return forsaken;
  }

  private void releaseAtLast() {
    try {
      cuda.useDeviceEvenIfLost(device);
      awaitSubmitters();
      if (pipeline.releaseAbandoned()) {
        onReturned.run();
        LOG.info("{}: what was given up has ended, its memory is given back", waiter.getName());
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (RuntimeException e) {
      LOG.error("{}: what was given up cannot be given back", waiter.getName(), e);
    }
  }

  private void awaitOne() {
    if (spins) {
      while (!pipeline.poll() && pipeline.inFlight() > 0) {
        Thread.onSpinWait();
      }
    } else {
      boolean unused = pipeline.await();
    }
  }

  /**
   * Finishes what is in flight, unless it was abandoned, and gives everything back, at once or when
   * it has ended after all.
   *
   * @throws InterruptedException if interrupted while batches are in flight
   */
  public void shutDown() throws InterruptedException {
    closing = true;
    submitted.release();
    while (waiter.isAlive() && !pipeline.isAbandoned()) {
      waiter.join(
          LOOK_EVERY_MS); // It may be abandoned meanwhile; the waiter then may never return.
    }
    pipeline.close();
    if (isForsaken()) {
      Thread last = new Thread(this::releaseAtLast, waiter.getName());
      last.setDaemon(true);
      last.start();
    }
  }

  @Override
  public void close() {
    try {
      shutDown();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
