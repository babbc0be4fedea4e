package dev.conveyor.models.device;

import dev.conveyor.memory.BlockAllocator;
import dev.conveyor.memory.BudgetExceededException;
import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.CudaException;
import dev.conveyor.memory.cuda.DevicePool;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.backend.BatchRequest;
import dev.conveyor.models.backend.BatchResult;
import dev.conveyor.models.backend.ExecutionException;
import dev.conveyor.models.backend.ExecutionException.Kind;
import dev.conveyor.models.backend.Slices;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.function.LongFunction;
import org.jspecify.annotations.Nullable;

/**
 * Runs the batches of one model instance on one device so that the device is never idle between
 * them: while batch N computes, N+1 is copied in and N-1 is copied out.
 *
 * <p>There is a stream for each of the three, and events between them: computing waits on the
 * device until the inputs are there, copying out waits until the outputs are. The host only
 * enqueues, a whole batch at a time and without waiting for anything; each batch in flight has a
 * {@link Slot} of memory of its own, so nothing but the end of a batch frees what the next one
 * needs.
 *
 * <p>Two threads use it. One submits, and owns everything up to there: {@link #submit}, {@link
 * #close}. One waits: {@link #await} or {@link #poll}. They may be the same. The listener hears of
 * every batch exactly once, in order. {@link #abandon} may be called from anywhere.
 *
 * <p>A failed operation usually takes the whole device from the process (see {@link
 * CudaException#isSticky}): then every batch in flight fails as {@code INSTANCE_LOST} and so does
 * whatever is submitted later. Failures that leave the device well fail one batch.
 */
public final class Pipeline implements AutoCloseable {

  private final Cuda cuda;
  private final DeviceLayout layout;
  private final PipelineListener listener;
  private final PipelineStages stages;
  private final BlockingQueue<Slot> free;
  private final BlockingQueue<Slot> inFlight;
  private final Releases releases = new Releases();
  private @Nullable BatchNotes notes;
  private volatile @Nullable String lost;
  private volatile @Nullable String abandoned;
  private boolean closed;

  /**
   * Allocates everything that batches need. Every thread that uses it must have set the device:
   * what CUDA answers also depends on how the device of the calling thread is.
   *
   * @param slots batches in flight, 2 or 3: one that computes and one or two that are copied
   * @param priority of its streams; 0 is the lowest
   * @param pool device memory for its slabs
   * @param staging allocates pinned memory for inputs that are not pinned themselves
   * @param pinned lends pinned memory for outputs
   * @param engine closed with the pipeline, also if this fails
   * @throws CudaException if the device has no room; nothing stays allocated
   * @throws BudgetExceededException likewise
   */
  public Pipeline(
      Cuda cuda,
      DeviceLayout layout,
      int slots,
      int priority,
      DevicePool pool,
      BlockAllocator staging,
      BufferPool pinned,
      DeviceEngine engine,
      PipelineListener listener) {
    this(
        cuda,
        layout,
        slots,
        priority,
        pool,
        staging,
        pinned,
        engine,
        listener,
        stream -> null,
        null,
        "");
  }

  /**
   * As the other, for inputs that may be encoded images or lie on the device, and for outputs that
   * may stay there.
   *
   * @param images makes what decodes them on a stream, or null; closed with the pipeline
   * @param residents memory of the device for outputs that stay; null if none do
   * @param device its name
   */
  public Pipeline(
      Cuda cuda,
      DeviceLayout layout,
      int slots,
      int priority,
      DevicePool pool,
      BlockAllocator staging,
      BufferPool pinned,
      DeviceEngine engine,
      PipelineListener listener,
      LongFunction<@Nullable DeviceImages> images,
      @Nullable ResidentPool residents,
      String device) {
    this.cuda = cuda;
    this.layout = layout;
    this.listener = listener;
    this.free = new ArrayBlockingQueue<>(slots);
    this.inFlight = new ArrayBlockingQueue<>(slots);
    releases.add(engine::close);
    Graphs graphs = new Graphs(cuda, engine, releases);
    try {
      this.stages =
          new PipelineStages(
              cuda, layout, priority, pinned, graphs, images, residents, device, releases);
      long compute = stages.compute();
      // What is freed on this stream is back in the pool when this is over.
      releases.add(() -> cuda.awaitStream(compute));
      for (int i = 0; i < slots; i++) {
        free.add(new Slot(i, cuda, layout, pool, compute, staging, releases));
      }
      // Allocated in the order of one stream, and now there for all of them.
      cuda.awaitStream(compute);
    } catch (RuntimeException | Error e) {
      releases.closeAfter(e);
      throw e;
    }
  }

  /**
   * Has it note when batches do what, counted from now. Called before the first batch, on the
   * thread that submits.
   */
  public void traceTo(PipelineTrace to) {
    notes = new BatchNotes(cuda, stages.copyIn(), to, releases);
  }

  /** Returns how many more batches may be submitted now. */
  public int freeSlots() {
    return free.size();
  }

  /** Returns how many batches were submitted and not heard of. */
  public int inFlight() {
    return inFlight.size();
  }

  /** Returns why it can run no more batches; null if it can. */
  public @Nullable String lost() {
    String why = abandoned; // With one write it is both, to whoever looks meanwhile.
    return why == null ? lost : why;
  }

  /** Returns whether the device may still be at work for it although nobody waits any more. */
  public boolean isAbandoned() {
    return abandoned != null;
  }

  /**
   * Enqueues a batch; there must be a free slot. The requests and their tensors must stay open
   * until the listener is told.
   *
   * @throws ExecutionException if it could not be enqueued; the listener is not told then
   * @throws InferenceException likewise, because of what a request is
   */
  public void submit(List<? extends BatchRequest> requests) {
    String why = lost();
    if (why != null) {
      throw new ExecutionException(Kind.INSTANCE_LOST, why);
    }
    int items = Slices.items(requests);
    if (items > layout.maxItems()) {
      throw new IllegalStateException(
          "a batch of " + items + " on an instance made for " + layout.maxItems());
    }
    Slot slot = free.poll();
    if (slot == null) {
      throw new IllegalStateException("a batch was submitted, but every slot is in flight");
    }
    slot.requests = requests;
    slot.items = items;
    try {
      stages.prepare(slot);
    } catch (RuntimeException | Error e) {
      // Nothing that could still run was enqueued, so there is nothing to wait for.
      if (losesDevice(e)) {
        lost = e.getMessage();
      }
      giveBack(slot);
      throw failed(e);
    }
    try {
      stages.enqueue(slot);
    } catch (RuntimeException | Error e) {
      // Images may be decoded here, which takes memory of the heap.
      throw failedToEnqueue(slot, e);
    }
    inFlight.add(slot);
    if (isAbandoned()) {
      boolean unused =
          tellLost(slot, String.valueOf(abandoned)); // Unless abandon() came across it.
    }
  }

  /** What was enqueued of it still runs: only when it is over the slot can be used again. */
  private RuntimeException failedToEnqueue(Slot slot, Throwable failure) {
    settle(failure);
    giveBack(slot);
    return failure instanceof InferenceException refusal && lost() == null
        ? refusal
        : failed(failure);
  }

  /** Waits until nothing runs after a failure, and finds out whether the device is lost. */
  private void settle(Throwable failure) {
    if (losesDevice(failure)) {
      lost = failure.getMessage();
    } else if (!isAbandoned()) { // Else it may never end, and nothing of it is used again.
      try {
        stages.settle();
      } catch (CudaException e) {
        lost = e.getMessage();
      }
    }
  }

  private boolean losesDevice(Throwable failure) {
    return failure instanceof CudaException e && e.isSticky() && !stages.isOfPeer(e);
  }

  private ExecutionException failed(Throwable e) {
    return Failures.of(e, lost() != null);
  }

  /** Tells the listener of the oldest batch if it is done. Returns whether it was. */
  public boolean poll() {
    return tellOldest(false);
  }

  /** Waits for the oldest batch, without using the CPU, and tells the listener. */
  public boolean await() {
    return tellOldest(true);
  }

  private boolean tellOldest(boolean waits) {
    Slot slot = inFlight.peek();
    if (slot == null) {
      return false;
    }
    try {
      if (lost() == null && waits) {
        cuda.awaitEvent(slot.done);
      } else if (lost() == null && !cuda.isComplete(slot.done)) {
        return false;
      }
    } catch (CudaException e) {
      settle(e);
      if (!e.isSticky() || lost() != null) {
        return tell(slot, failed(e));
      }
      // Of another device: it may not be this batch that has read from there, and all are over.
    }
    return finish(slot);
  }

  private boolean finish(Slot slot) {
    String why = lost();
    if (why != null) {
      return tellLost(slot, why);
    }
    if (slot.hasReadLost()) {
      return tell(slot, new ExecutionException(Kind.RUN, "an input was on a device that is lost"));
    }
    BatchResult result;
    try {
      if (notes != null) {
        notes.add(slot);
      }
      result = Outputs.split(cuda, layout, slot);
    } catch (CudaException e) {
      settle(e);
      return tell(slot, failed(e));
    }
    List<? extends BatchRequest> requests = slot.requests;
    if (!inFlight.remove(slot)) {
      result.discard();
      return false; // Abandoned meanwhile.
    }
    giveBack(slot);
    listener.onResult(requests, result);
    return true;
  }

  private boolean tellLost(Slot slot, String why) {
    return tell(slot, new ExecutionException(Kind.INSTANCE_LOST, why));
  }

  private boolean tell(Slot slot, ExecutionException failure) {
    List<? extends BatchRequest> requests = slot.requests;
    if (!inFlight.remove(slot)) {
      return false; // Abandoned meanwhile.
    }
    giveBack(slot);
    listener.onFailure(requests, failure);
    return true;
  }

  /**
   * The slot may run another batch; its requests hold their own shares of the outputs. Once
   * abandoned it may not, since the device may still be at it.
   */
  private void giveBack(Slot slot) {
    if (isAbandoned()) {
      return;
    }
    slot.clear();
    free.add(slot);
  }

  /**
   * Gives back what slots have grown by, if nothing is in flight. On a thread that has set the
   * device, while nobody submits.
   */
  void shrink() {
    if (lost() == null && inFlight.isEmpty()) {
      stages.shrink(free);
    }
  }

  /** Runs no more batches: the device is lost, and nothing runs there any more. From any thread. */
  void lose(String why) {
    lost = why;
  }

  /**
   * Gives up on a device that does not finish: every batch in flight fails as {@code
   * INSTANCE_LOST}, here. Nothing can take back what was enqueued, so whatever the device may still
   * read or write stays allocated, and in the ledger, until {@link #releaseAbandoned}. From any
   * thread, also while another one waits, or submits and does not come back.
   */
  public void abandon(String why) {
    abandoned = why;
    stages.cancel();
    for (Slot slot = inFlight.peek(); slot != null; slot = inFlight.peek()) {
      boolean unused = tellLost(slot, why);
    }
  }

  /**
   * Waits until the device is through with what it was given up over, perhaps for ever, and gives
   * everything back. Once, by a thread that knows that nobody submits any more.
   *
   * @return false if only the device's word is missing; everything stays allocated then
   */
  boolean releaseAbandoned() {
    if (!stages.endsAtLast()) {
      return false;
    }
    releases.close();
    return true;
  }

  /**
   * Finishes what is in flight and gives everything back, unless it was abandoned, or is now, since
   * copies of outputs do not end. Nobody waits for batches any more.
   */
  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    while (await()) {
      // The listener is told of each.
    }
    if (!isAbandoned() && !stages.areCopiedAside(free)) {
      abandon("outputs were not copied aside");
    }
    if (!isAbandoned()) {
      releases.close();
    }
  }
}
