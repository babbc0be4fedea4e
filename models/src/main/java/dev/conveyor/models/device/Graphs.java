package dev.conveyor.models.device;

import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.CudaException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Enqueues the computation of batches, as CUDA graphs where the engine allows it: what it enqueues
 * for a batch size in a slot is captured once and then launched by a single call.
 *
 * <p>Not thread-safe: owned by the submitting thread. The first batch of a size in a slot runs as
 * it is, because libraries allocate and choose algorithms then, and prepare for shapes that change.
 * The same is captured at once, for the next one. If that fails, the engine is not captured again.
 */
final class Graphs {

  private static final Logger LOG = LoggerFactory.getLogger(Graphs.class);

  /** In {@link Slot#graphs}: there is none. */
  private static final long NONE = 0;

  private final Cuda cuda;
  private final DeviceEngine engine;
  private final Releases releases;
  private boolean refused;

  /** Graphs are destroyed by {@code releases}. */
  Graphs(Cuda cuda, DeviceEngine engine, Releases releases) {
    this.cuda = cuda;
    this.engine = engine;
    this.releases = releases;
  }

  /** Enqueues the computation of the slot's batch. */
  void enqueue(Slot slot, long stream) {
    if (slot.varies()) {
      slot.produced(engine.enqueue(slot.layout().inputShapes(slot.items), slot, stream));
      return;
    }
    long graph = slot.graphs[slot.items];
    if (graph != NONE) {
      cuda.launchGraph(graph, stream);
      return;
    }
    boolean captures = !refused && engine.isCapturable();
    engine.enqueue(slot.items, slot, stream);
    if (captures) {
      capture(slot, stream);
    }
  }

  /** Ends what the engine is at, from any thread. */
  void cancel() {
    engine.cancel();
  }

  /** The batch is on its way already: only that the device is lost is a failure of it. */
  private void capture(Slot slot, long stream) {
    try {
      cuda.beginCapture(stream);
      try {
        engine.enqueue(slot.items, slot, stream);
      } catch (RuntimeException | Error e) {
        endFailed(stream, e);
        throw e;
      }
      long graph = cuda.endCapture(stream);
      releases.add(() -> cuda.destroyGraph(graph));
      slot.graphs[slot.items] = graph;
    } catch (RuntimeException e) {
      if (e instanceof CudaException failure && failure.isSticky()) {
        throw e;
      }
      refused = true;
      LOG.info("batches are enqueued call by call, they cannot be captured: {}", e.getMessage());
    }
  }

  /** A stream stays in capture until it is ended, whatever became of it. */
  private void endFailed(long stream, Throwable failure) {
    try {
      cuda.destroyGraph(cuda.endCapture(stream));
    } catch (CudaException e) {
      failure.addSuppressed(e);
    }
  }
}
