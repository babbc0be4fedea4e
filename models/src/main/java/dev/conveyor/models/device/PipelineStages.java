package dev.conveyor.models.device;

import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.CudaException;
import java.util.concurrent.locks.LockSupport;
import java.util.function.LongFunction;
import org.jspecify.annotations.Nullable;

/**
 * The three streams of a {@link Pipeline}, and what is enqueued on them for a batch: copies in,
 * computing behind them, copies out behind that. The host waits for none of it.
 *
 * <p>Not thread-safe: owned by the submitting thread, but for {@link #await}.
 */
final class PipelineStages {

  /** A copy that has not ended after so many questions, half of them a moment apart, does not. */
  private static final int MOST_ASKED = 4_000;

  private static final long ASK_EVERY_NS = 1_000_000;

  /** Copies from a device that is lost each may have a wait end too early. */
  private static final int MOST_TRIES = 1_000;

  private final Cuda cuda;
  private final DeviceLayout layout;
  private final Graphs graphs;
  private final long copyIn;
  private final long compute;
  private final long copyOut;
  private final InputCopies inputs;
  private final OutputCopies outputs;
  private final @Nullable ResidentPool residents;

  /**
   * Creates the streams, as {@link Pipeline} describes its parameters.
   *
   * @param releases gives everything back, also what there is when this fails
   */
  PipelineStages(
      Cuda cuda,
      DeviceLayout layout,
      int priority,
      BufferPool pinned,
      Graphs graphs,
      LongFunction<@Nullable DeviceImages> images,
      @Nullable ResidentPool residents,
      String device,
      Releases releases) {
    this.cuda = cuda;
    this.layout = layout;
    this.graphs = graphs;
    this.residents = residents;
    this.outputs = new OutputCopies(cuda, layout, pinned, residents, device);
    this.copyIn = newStream(cuda, priority, releases);
    this.compute = newStream(cuda, priority, releases);
    this.copyOut = newStream(cuda, priority, releases);
    DeviceImages decodes = images.apply(copyIn);
    if (decodes != null) {
      releases.add(() -> cuda.awaitStream(copyIn)); // What closing frees there.
      releases.add(decodes::close);
      releases.add(() -> cuda.awaitStream(copyIn));
    }
    this.inputs = new InputCopies(cuda, decodes, residents);
  }

  private static long newStream(Cuda cuda, int priority, Releases releases) {
    long stream = cuda.newStream(priority);
    releases.add(() -> cuda.destroyStream(stream));
    return stream;
  }

  /** Returns the stream on which a batch begins. */
  long copyIn() {
    return copyIn;
  }

  /** Returns the stream in whose order slabs are allocated. */
  long compute() {
    return compute;
  }

  /**
   * Takes the memory that a batch needs and its slot does not have yet.
   *
   * @throws dev.conveyor.memory.BudgetExceededException if there is none
   */
  void prepare(Slot slot) {
    if (layout.isFixed()) {
      outputs.prepare(slot, copyOut);
    } else {
      slot.makeRoom(layout.ofInputs(slot.requests, slot.items), copyIn);
    }
  }

  /**
   * Enqueues a batch.
   *
   * @throws CudaException if that fails; some of it may run then
   */
  void enqueue(Slot slot) {
    cuda.record(slot.begun, copyIn);
    for (int i = 0; i < layout.inputs().size(); i++) {
      inputs.enqueue(slot, i, copyIn);
    }
    cuda.record(slot.copiedIn, copyIn);

    cuda.waitFor(slot.copiedIn, compute);
    if (slot.isCopiedAside) {
      cuda.waitFor(slot.copiedAside, compute); // Of the batch before: its outputs are overwritten.
      slot.isCopiedAside = false;
    }
    cuda.record(slot.computing, compute);
    graphs.enqueue(slot, compute);
    cuda.record(slot.computed, compute);

    cuda.waitFor(slot.computed, copyOut);
    outputs.toHost(slot, copyOut);
    cuda.record(slot.done, copyOut);
    // Nobody on the host waits for these: who reads them does, on the device.
    outputs.aside(slot, copyOut);
  }

  /** Gives back what slots that run no batch have grown by, and waits until it is back. */
  void shrink(Iterable<Slot> slots) {
    slots.forEach(slot -> slot.shrink(copyIn));
    await(); // Each is given back in the order of the stream that it was taken on.
  }

  /** Ends what the engine is at, if it can be ended. From any thread. */
  void cancel() {
    graphs.cancel();
  }

  /**
   * Waits until nothing of what was enqueued runs. From any thread.
   *
   * @throws CudaException if the device is lost, or something failed
   */
  void await() {
    cuda.awaitStream(copyIn);
    cuda.awaitStream(compute);
    cuda.awaitStream(copyOut);
  }

  /**
   * Returns whether an error that loses a device is of another one, from which tensors were read,
   * and this one is well. On a thread that has set the device.
   */
  boolean isOfPeer(CudaException failure) {
    return residents != null && residents.peers().isOfPeer(failure);
  }

  /**
   * As {@link #await}, whatever is told of other devices meanwhile.
   *
   * @throws CudaException if this one is lost, or something failed
   */
  void settle() {
    for (int tries = 1; ; tries++) {
      try {
        await();
        return;
      } catch (CudaException e) {
        if (tries == MOST_TRIES || !e.isSticky() || !isOfPeer(e)) {
          throw e;
        }
      }
    }
  }

  /**
   * Waits until nothing runs, or the device is lost, and so nothing does.
   *
   * @return false if it cannot be found out
   */
  boolean endsAtLast() {
    try {
      await();
      return true;
    } catch (CudaException e) {
      return e.isSticky();
    }
  }

  /**
   * Waits for what is copied from the slabs after the host was told of its batch: usually that is
   * over long ago. Nobody watches it any more, so whether it ends must be seen here.
   *
   * @return whether it does
   */
  boolean areCopiedAside(Iterable<Slot> slots) {
    try {
      int asked = 0;
      for (Slot slot : slots) {
        while (slot.isCopiedAside && !cuda.isComplete(slot.copiedAside)) {
          if (asked++ == MOST_ASKED) {
            return false;
          }
          if (asked > MOST_ASKED / 2) {
            LockSupport.parkNanos(ASK_EVERY_NS);
          }
        }
      }
    } catch (CudaException e) {
      return true; // Whatever is released next says so too.
    }
    return true;
  }
}
