package dev.conveyor.models.device;

import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.CudaException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Enqueues the computation of batches, as CUDA graphs where the engine allows it: what it enqueues
 * for a batch size in a slot is captured once and then launched by a single call.
 *
 * <p>Not thread-safe: owned by the submitting thread. The first batch of a size runs as it is,
 * because libraries allocate and choose algorithms then; the second is captured. If that fails, the
 * engine is not captured again.
 */
final class Graphs {

  private static final Logger LOG = LoggerFactory.getLogger(Graphs.class);

  /** In {@link Slot#graphs}: a size that has not run, and one that has run once. */
  private static final long NEW = 0;

  private static final long SEEN = -1;

  private final Cuda cuda;
  private final DeviceEngine engine;
  private final Releases releases;
  private boolean captures;

  /** Graphs are destroyed by {@code releases}. */
  Graphs(Cuda cuda, DeviceEngine engine, Releases releases) {
    this.cuda = cuda;
    this.engine = engine;
    this.releases = releases;
    this.captures = engine.isCapturable();
  }

  /** Enqueues the computation of the slot's batch. */
  void enqueue(Slot slot, long stream) {
    long graph = captures ? slot.graphs[slot.items] : NEW;
    if (graph == SEEN) {
      graph = capture(slot, stream);
    }
    if (graph == NEW) {
      slot.graphs[slot.items] = SEEN;
      engine.enqueue(slot.items, slot, stream);
    } else {
      cuda.launchGraph(graph, stream);
    }
  }

  /** Returns the graph, or {@link #NEW} if there is to be none. */
  private long capture(Slot slot, long stream) {
    try {
      cuda.beginCapture(stream);
      try {
        engine.enqueue(slot.items, slot, stream);
      } catch (RuntimeException e) {
        endFailed(stream, e);
        throw e;
      }
      long graph = cuda.endCapture(stream);
      releases.add(() -> cuda.destroyGraph(graph));
      slot.graphs[slot.items] = graph;
      return graph;
    } catch (CudaException e) {
      if (e.isSticky()) {
        throw e;
      }
      captures = false;
      LOG.info("batches are enqueued call by call, they cannot be captured: {}", e.getMessage());
      return NEW;
    }
  }

  /** A stream stays in capture until it is ended, whatever became of it. */
  private void endFailed(long stream, RuntimeException failure) {
    try {
      cuda.destroyGraph(cuda.endCapture(stream));
    } catch (CudaException e) {
      failure.addSuppressed(e);
    }
  }
}
