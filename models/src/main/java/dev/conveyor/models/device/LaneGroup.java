package dev.conveyor.models.device;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.CudaException;
import dev.conveyor.memory.cuda.DevicePool;
import dev.conveyor.models.backend.BatchRequest;
import dev.conveyor.models.backend.BatchResult;
import dev.conveyor.models.backend.ExecutionException;
import java.util.List;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * One instance on a GPU: a {@link PipelinedInstance} with its memory, and the lanes that submit to
 * it.
 *
 * <p>Thread-safe: lanes belong to threads of their own, and one at a time submits. That may never
 * come back, so whoever comes or leaves does not wait for it, and nobody does once the instance was
 * abandoned. Closed by the last lane that leaves. An instance that was abandoned keeps its memory,
 * in the ledger too, until what runs has ended.
 */
final class LaneGroup implements PipelineListener {

  /** Memory pools hand out more than they are asked for, and no more than their cap. */
  private static final long POOL_SLACK_BYTES = 2L << 20;

  private final GpuPlace place;
  private final int lanesAtMost;
  private final int maxItems;
  private final DevicePool pool;
  private final Pipeline pipeline;
  private final PipelinedInstance instance;
  private final GivenUp givenUp;
  private final AtomicBoolean isGivenUp = new AtomicBoolean();
  private final Releases releases = new Releases();

  /** Of the lane that submits. */
  private final Semaphore turn = new Semaphore(1);

  @GuardedBy("this")
  private int taken;

  @GuardedBy("this")
  private int left;

  @GuardedBy("this")
  private boolean closed;

  /**
   * Allocates everything that its batches need; on a thread that has set the device.
   *
   * @param budget ledger of the device, or the model's part of it
   * @param decodes whether images are decoded on the device
   * @param givenUp told as soon as it is, since its lanes may never leave
   * @throws CudaException if the device has no room; nothing stays allocated
   * @throws dev.conveyor.memory.BudgetExceededException likewise
   */
  LaneGroup(
      GpuPlace place,
      MemoryBudget budget,
      DeviceModel model,
      DeviceLayout layout,
      int lanes,
      int priority,
      String owner,
      boolean decodes,
      GivenUp givenUp) {
    this.givenUp = givenUp;
    this.place = place;
    this.lanesAtMost = lanes;
    this.maxItems = layout.maxItems();
    Cuda cuda = place.cuda();
    releases.add(place::trimSteps);
    try {
      long bytes =
          (layout.isFixed() ? lanes * layout.slabBytes() : budget.capacityBytes())
              + model.scratchBytes(layout)
              + (decodes ? DeviceImages.ALLOWANCE_BYTES : 0)
              + POOL_SLACK_BYTES;
      pool = new DevicePool(cuda, place.gpu().ordinal(), bytes, budget, owner + "/slabs");
      releases.add(pool::close);
      place.watch(pool);
      releases.add(() -> place.forget(pool));
      long stream = cuda.newStream(0);
      releases.add(() -> cuda.destroyStream(stream));
      releases.add(() -> cuda.awaitStream(stream));
      DeviceEngine engine =
          model.newEngine(new EngineSite(cuda, place.gpu().ordinal(), layout, pool, stream));
      pipeline =
          new Pipeline(
              cuda,
              layout,
              lanes,
              priority,
              pool,
              place.staging(owner + "/staging"),
              place.pinned(),
              engine,
              this,
              copyIn -> decodes ? ImageSupport.create(owner, place, pool, copyIn) : null,
              place.residents(),
              place.gpu().device());
      releases.add(pipeline::close);
      if (!layout.isFixed()) {
        place.watch(this);
        releases.add(() -> place.forget(this));
      }
      PipelineTrace trace = place.trace();
      if (trace != null) {
        pipeline.traceTo(trace);
      }
      instance =
          new PipelinedInstance(
              "device-" + owner,
              cuda,
              place.gpu().ordinal(),
              pipeline,
              place.spins(),
              this::releaseReturned);
    } catch (RuntimeException | Error e) {
      noteLost(e);
      try {
        releases.close();
      } catch (RuntimeException alsoFailed) {
        e.addSuppressed(alsoFailed);
      }
      throw e;
    }
  }

  /**
   * Returns a lane of it, or null if all are taken, it is made for other batches, or it can run
   * nothing any more.
   */
  synchronized @Nullable Lane newLane(int maxBatchSize) {
    if (closed
        || Math.max(1, maxBatchSize) != maxItems
        || taken == lanesAtMost
        || pipeline.lost() != null) {
      return null;
    }
    taken++;
    return new Lane(this);
  }

  String device() {
    return place.gpu().device();
  }

  /** Returns whether its device is lost to this process. From any thread. */
  boolean isDeviceLost() {
    return place.lost() != null;
  }

  void submit(LaneRun requests) {
    turn.acquireUninterruptibly();
    try {
      instance.submit(requests);
    } catch (RuntimeException | Error e) {
      noteLostPipeline();
      throw e;
    } finally {
      turn.release();
    }
  }

  /** Gives back what its batches have grown by, if none is under way now. On its device. */
  synchronized void shrink() {
    if (!closed && turn.tryAcquire()) {
      try {
        pipeline.shrink();
      } finally {
        turn.release();
      }
    }
  }

  void abandon(String why) {
    noteGivenUp();
    instance.abandon(why);
    turn.release(lanesAtMost); // Whoever waits for the one that hangs is refused now.
  }

  private void noteGivenUp() {
    if (isGivenUp.compareAndSet(false, true)) {
      givenUp.begins();
    }
  }

  /** On the thread that waited; perhaps before who closed it knows that it was given up. */
  private void releaseReturned() {
    noteGivenUp();
    try {
      releases.close();
    } finally {
      givenUp.ends();
    }
  }

  @Override
  public void onResult(List<? extends BatchRequest> requests, BatchResult result) {
    LaneRun.laneOf(requests).end(result, null);
  }

  @Override
  public void onFailure(List<? extends BatchRequest> requests, ExecutionException failure) {
    noteLostPipeline();
    LaneRun.laneOf(requests).end(null, failure);
  }

  /** A pipeline that nobody gave up is lost because its device is. */
  private void noteLostPipeline() {
    String why = pipeline.lost();
    if (why != null && !pipeline.isAbandoned()) {
      place.markLost(why);
    }
  }

  private void noteLost(Throwable failure) {
    if (failure instanceof CudaException e && e.isSticky()) {
      place.markLost(String.valueOf(e.getMessage()));
    }
  }

  /** The last one out gives everything back; on that lane's thread. */
  synchronized void leave() {
    left++;
    if (left == taken) {
      close();
    }
  }

  /** Gives everything back if no lane was taken; none is from now on. */
  synchronized void closeUnused() {
    if (taken == 0 && !closed) {
      close();
    }
  }

  @GuardedBy("this")
  private void close() {
    closed = true;
    instance.close();
    if (pipeline.isAbandoned()) {
      noteGivenUp();
    } else {
      releases.close();
    }
  }
}
